using System.Buffers.Text;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>A blocking connection to Redis (RESP2), one small command at a time: it needs no thread but the caller's.
/// After any exception but <see cref="RespErrorException"/> it must not be used again.</summary>
sealed class RespConnection : IDisposable
{
    const int DepthMax = 8;

    readonly Socket _socket;
    readonly Stream _stream;
    readonly byte[] _input = new byte[16 << 10];
    int _from;
    int _to;

    RespConnection(Socket socket, Stream stream) => (_socket, _stream) = (socket, stream);

    /// <summary>Connects and gives the password.</summary>
    /// <exception cref="IOException">It cannot be reached in time.</exception>
    public static RespConnection Open(EndPoint address, ConfigurationOptions options, string name, TimeSpan timeout)
    {
        var socket = Connect(address, timeout);
        try
        {
            Stream stream = new NetworkStream(socket, ownsSocket: true);
            if (options.Ssl)
                stream = Secure(stream, options.SslHost ?? (address as DnsEndPoint)?.Host ?? $"{address}");
            var connection = new RespConnection(socket, stream);
            if (!string.IsNullOrEmpty(options.Password))
                connection.Call(timeout, ["AUTH"u8.ToArray(), Encoding.UTF8.GetBytes(options.Password)]);
            connection.Call(timeout, ["CLIENT"u8.ToArray(), "SETNAME"u8.ToArray(), Encoding.UTF8.GetBytes(name)]);
            return connection;
        }
        catch (Exception e)
        {
            socket.Dispose();
            if (e is System.Security.Authentication.AuthenticationException)
                throw new IOException($"TLS failed: {e.Message}", e);
            throw;
        }
    }

    /// <returns>A number (long), a value (byte[], or null for none), a list (object?[]) or a status (string).</returns>
    /// <exception cref="RespErrorException">Redis refused; the connection is fine.</exception>
    /// <exception cref="IOException">No answer in time, or the connection broke.</exception>
    public object? Call(TimeSpan timeout, IReadOnlyList<byte[]> words)
    {
        _socket.SendTimeout = _socket.ReceiveTimeout = Wait(timeout);
        var request = new MemoryStream();
        request.Write(Encoding.ASCII.GetBytes($"*{words.Count}\r\n"));
        foreach (var word in words)
        {
            request.Write(Encoding.ASCII.GetBytes($"${word.Length}\r\n"));
            request.Write(word);
            request.Write("\r\n"u8);
        }
        _stream.Write(request.GetBuffer().AsSpan(0, (int)request.Length));
        return Receive(DepthMax);
    }

    public void Dispose() => _stream.Dispose();

    object? Receive(int depth)
    {
        var line = ReadLine();
        switch ((char)line[0])
        {
            case '+':
                return Encoding.UTF8.GetString(line[1..]);
            case '-':
                throw new RespErrorException(Encoding.UTF8.GetString(line[1..]));
            case ':':
                return Number(line);
            case '$':
                var length = Number(line);
                return length < 0 ? null : ReadValue(length);
            case '*' when depth > 0:
                var count = Number(line);
                if (count > Limits.RedisReplyItemsMax)
                    throw new IOException($"Redis sent a list of {count}.");
                var list = new object?[Math.Max(0, count)];
                for (var i = 0; i < list.Length; i++)
                    list[i] = Receive(depth - 1);
                return list;
            default:
                throw new IOException($"'{Encoding.UTF8.GetString(line)}' is no reply of Redis.");
        }
    }

    ReadOnlySpan<byte> ReadLine()
    {
        int end;
        while ((end = _input.AsSpan(_from, _to - _from).IndexOf("\r\n"u8)) < 0)
            Fill();
        var line = _input.AsSpan(_from, end);
        _from += end + 2;
        return end > 0 ? line : throw new IOException("Redis sent an empty line.");
    }

    byte[] ReadValue(long length)
    {
        if (length > Limits.EntryBytesMax)
            throw new IOException($"Redis sent a value of {length} bytes.");
        var value = new byte[length];
        var have = Math.Min(value.Length, _to - _from);
        _input.AsSpan(_from, have).CopyTo(value);
        _from += have;
        _stream.ReadExactly(value.AsSpan(have));
        while (_to - _from < 2)
            Fill();
        _from += 2;
        return value;
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

    static long Number(ReadOnlySpan<byte> line) =>
        Utf8Parser.TryParse(line[1..], out long number, out var used) && used == line.Length - 1
            ? number
            : throw new IOException($"'{Encoding.UTF8.GetString(line)}' is no number.");

    /// <summary>The socket stays a blocking one, so that the system and not the thread pool wakes its reader.
    /// On Linux the limit of a write is also that of a connect.</summary>
    static Socket Connect(EndPoint address, TimeSpan timeout)
    {
        var targets = address is DnsEndPoint dns
            ? Dns.GetHostAddresses(dns.Host).Select(EndPoint (a) => new IPEndPoint(a, dns.Port)).ToArray()
            : new[] { address };
        for (var i = 0; ; i++)
        {
            var socket = new Socket(targets[i].AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                socket.SendTimeout = socket.ReceiveTimeout = Wait(timeout);
                socket.Connect(targets[i]);
                return socket;
            }
            catch (Exception e)
            {
                socket.Dispose();
                if (e is not SocketException || i + 1 == targets.Length)
                    throw;
            }
        }
    }

    static SslStream Secure(Stream plain, string host)
    {
        var tls = new SslStream(plain);
        tls.AuthenticateAsClient(new SslClientAuthenticationOptions { TargetHost = host });
        return tls;
    }

    static int Wait(TimeSpan timeout) => Math.Max(1, (int)timeout.TotalMilliseconds);
}

/// <summary>Redis said no; the first word is the kind.</summary>
sealed class RespErrorException(string message) : Exception(message)
{
    public bool Is(string kind) => Message.StartsWith(kind, StringComparison.Ordinal);
}
