using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Hearth.Actors.Storage.Redis.Blobs;

/// <summary>A connection to Redis for large values (RESP2), one command at a time, blocking: a value goes out from the caller's
/// memory
/// and comes in straight to where it is wanted. On loopback that is twice as fast as awaiting each piece. After any exception but
/// <see cref="RedisErrorException"/> it must not be used again.</summary>
sealed class BlobConnection : IDisposable
{
    readonly Socket _socket;
    readonly Stream _stream;
    readonly byte[] _input = new byte[16 << 10];
    int _from;
    int _to;

    BlobConnection(Socket socket, Stream stream) => (_socket, _stream) = (socket, stream);

    public static BlobConnection Open(BlobServer server, TimeSpan timeout)
    {
        var (socket, stream) = server.Connect(timeout);
        var connection = new BlobConnection(socket, stream);
        try
        {
            if (server.Password is { } password)
                connection.Call(server.User is { } user ? ["AUTH", user, password] : ["AUTH", password], default, default);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Sends a command and reads its reply.</summary>
    /// <param name="value">The last argument; left out if empty.</param>
    /// <param name="destination">Gets the value of the reply.</param>
    /// <returns>The number, or the value's length; -1 for no value.</returns>
    /// <exception cref="RedisErrorException">Redis refused; the connection is fine.</exception>
    public long Call(IReadOnlyList<string> arguments, ReadOnlySpan<byte> value, Span<byte> destination)
    {
        _stream.Write(Head(arguments, value.Length));
        if (value.Length > 0)
        {
            _stream.Write(value);
            _stream.Write("\r\n"u8);
        }
        return Receive(destination);
    }

    /// <summary>Sends commands in one, and reads their replies, which must be numbers.</summary>
    public long[] CallMany(IReadOnlyList<string[]> commands)
    {
        _stream.Write([.. commands.SelectMany(c => Head(c, 0))]);
        var numbers = new long[commands.Count];
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = Receive(default);
        return numbers;
    }

    /// <summary>Breaks off a call that another thread is in.</summary>
    public void Abort() => _socket.Dispose();

    public void Dispose() => _stream.Dispose();

    static byte[] Head(IReadOnlyList<string> arguments, int valueLength)
    {
        var head = new StringBuilder();
        head.Append(CultureInfo.InvariantCulture, $"*{arguments.Count + (valueLength > 0 ? 1 : 0)}\r\n");
        foreach (var argument in arguments)
            head.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(argument)}\r\n{argument}\r\n");
        if (valueLength > 0)
            head.Append(CultureInfo.InvariantCulture, $"${valueLength}\r\n");
        return Encoding.UTF8.GetBytes(head.ToString());
    }

    long Receive(Span<byte> destination)
    {
        var (kind, text) = ReadLine();
        if (kind == '+')
            return 0;
        if (kind == '-')
            throw new RedisErrorException(text);
        if (kind is not (':' or '$') || !long.TryParse(text, CultureInfo.InvariantCulture, out var number))
            throw new IOException($"Redis answered with '{kind}{text}', which is no reply to this command.");
        if (kind == ':' || number < 0)
            return number;
        if (number > destination.Length)
            throw new IOException($"Redis sent a value of {number} bytes where {destination.Length} were expected.");
        ReadValue(destination[..(int)number]);
        return number;
    }

    (char Kind, string Text) ReadLine()
    {
        int end;
        while ((end = _input.AsSpan(_from, _to - _from).IndexOf("\r\n"u8)) < 0)
            Fill();
        var line = Encoding.UTF8.GetString(_input, _from, end);
        _from += end + 2;
        return line.Length > 0 ? (line[0], line[1..]) : throw new IOException("Redis sent an empty line.");
    }

    void ReadValue(Span<byte> value)
    {
        var have = Math.Min(value.Length, _to - _from);
        _input.AsSpan(_from, have).CopyTo(value);
        _from += have;
        _stream.ReadExactly(value[have..]);
        while (_to - _from < 2)
            Fill();
        _from += 2;
    }

    void Fill()
    {
        _input.AsSpan(_from, _to - _from).CopyTo(_input);
        (_from, _to) = (0, _to - _from);
        if (_to == _input.Length)
            throw new IOException("Redis sent an endless line.");
        var read = _stream.Read(_input.AsSpan(_to));
        if (read == 0)
            throw new EndOfStreamException("Redis closed the connection.");
        _to += read;
    }
}

/// <summary>Redis said no: the first word is the kind (<c>MOVED</c>, <c>OOM</c>, <c>LOADING</c> …).</summary>
sealed class RedisErrorException(string message) : Exception(message)
{
    public string Kind => Message.Split(' ')[0];
}
