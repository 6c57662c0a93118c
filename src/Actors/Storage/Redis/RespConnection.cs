using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace Hearth.Actors.Storage.Redis;

/// <summary>A blocking connection to Redis (RESP2), one command at a time: it needs no thread but the caller's, and a large value
/// goes out from the caller's memory and comes in straight to where it is wanted, twice as fast as awaiting each piece.
/// After any exception but <see cref="RespErrorException"/> it must not be used again.</summary>
sealed class RespConnection : IDisposable
{
    readonly Socket _socket;
    readonly Stream _stream;
    readonly RespReader _reader;

    RespConnection(Socket socket, Stream stream) => (_socket, _stream, _reader) = (socket, stream, new RespReader(stream));

    /// <summary>Connects and says who we are.</summary>
    /// <param name="bufferBytes">Of the socket; null for the system's.</param>
    /// <exception cref="IOException">It cannot be reached in time, or TLS failed.</exception>
    /// <exception cref="RespErrorException">Redis refused.</exception>
    public static RespConnection Open(
        EndPoint address, RedisAddress redis, string name, TimeSpan timeout, int? bufferBytes = null)
    {
        var socket = Connect(address, timeout, bufferBytes);
        try
        {
            Stream stream = new NetworkStream(socket, ownsSocket: true);
            if (redis.TlsFor(address) is { } tls)
            {
                var secure = new SslStream(stream);
                secure.AuthenticateAsClient(tls);
                stream = secure;
            }
            var connection = new RespConnection(socket, stream);
            if (redis.Options.Password is { Length: > 0 } password)
                connection.Call(timeout, Words(redis.User is { } user ? ["AUTH", user, password] : ["AUTH", password]));
            connection.Call(timeout, Words(["CLIENT", "SETNAME", name]));
            return connection;
        }
        catch (Exception e)
        {
            socket.Dispose();
            if (e is AuthenticationException)
                throw new IOException($"TLS failed: {e.Message}", e);
            throw;
        }
    }

    public static byte[][] Words(IReadOnlyList<string> words) => [.. words.Select(Encoding.UTF8.GetBytes)];

    /// <returns>As <see cref="RespReader.Read()"/>.</returns>
    /// <exception cref="RespErrorException">Redis refused; the connection is fine.</exception>
    /// <exception cref="IOException">No answer in time, or the connection broke.</exception>
    public object? Call(TimeSpan timeout, IReadOnlyList<byte[]> words)
    {
        Begin(timeout);
        _stream.Write(Request([words]));
        return _reader.Read();
    }

    /// <summary>A command with a large value as its last argument, and a status as its reply.</summary>
    /// <exception cref="RespErrorException">Redis refused; the connection is fine.</exception>
    /// <exception cref="IOException">No answer in time, or the connection broke.</exception>
    public void Write(TimeSpan timeout, IReadOnlyList<byte[]> words, ReadOnlySpan<byte> value)
    {
        Begin(timeout);
        _stream.Write(Request([words], value.Length));
        _stream.Write(value);
        _stream.Write("\r\n"u8);
        _reader.Expect(timeout);
        _reader.ReadInto(default);
    }

    /// <summary>Reads a value and puts off its end: a large one range by range, the next on its way while one is read. Redis
    /// copies what it sends: a range stays in its processor's cache and in memory that it has used before, a large value does
    /// not.</summary>
    /// <returns>The value's length; -1 if there is none, or a large one longer than the memory.</returns>
    /// <exception cref="RespErrorException">Redis refused; the connection is fine.</exception>
    /// <exception cref="IOException">No answer in time, the connection broke, or a value read whole does not fit.</exception>
    public int ReadValue(TimeSpan timeout, string key, TimeSpan age, Span<byte> destination)
    {
        Begin(timeout);
        var seconds = Text((long)age.TotalSeconds);
        if (destination.Length <= Limits.BlobWholeBytesMax)
        {
            _stream.Write(Request([Words(["GETEX", key, "EX", seconds])]));
            return (int)_reader.ReadInto(destination);
        }
        _stream.Write(Request([Words(["STRLEN", key])]));
        var length = _reader.ReadInto(default);
        if (length == 0 || length > destination.Length)
            return -1;
        _stream.Write(Request([Words(["EXPIRE", key, seconds]), Range(key, 0)]));
        try
        {
            _reader.ReadInto(default);
            for (int at = 0, next = 0; at < length; at = next)
            {
                next = at + Limits.BlobRangeBytes;
                if (next < length)
                    _stream.Write(Request([Range(key, next)]));
                var range = destination[at..(int)Math.Min(next, length)];
                if (_reader.ReadInto(range) != range.Length)
                    throw new IOException("A value was cut while it was read.");
            }
        }
        catch (RespErrorException e)
        {
            throw new IOException($"Redis refused within a value: {e.Message}", e); // More replies are on their way.
        }
        return (int)length;
    }

    /// <summary>Sends commands in one, and reads their replies, which must be numbers.</summary>
    public long[] CallMany(TimeSpan timeout, IReadOnlyList<IReadOnlyList<byte[]>> commands)
    {
        Begin(timeout);
        _stream.Write(Request(commands));
        var numbers = new long[commands.Count];
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = _reader.ReadInto(default);
        return numbers;
    }

    /// <summary>Breaks off a call that another thread is in.</summary>
    public void Abort() => _socket.Dispose();

    public void Dispose() => _stream.Dispose();

    void Begin(TimeSpan timeout)
    {
        _socket.SendTimeout = _socket.ReceiveTimeout = Wait(timeout);
        _reader.Expect(timeout);
    }

    /// <param name="valueLength">Of a last argument that follows; 0 for none.</param>
    static ReadOnlySpan<byte> Request(IReadOnlyList<IReadOnlyList<byte[]>> commands, int valueLength = 0)
    {
        var request = new MemoryStream();
        foreach (var words in commands)
        {
            Head(request, '*', words.Count + (valueLength > 0 ? 1 : 0));
            foreach (var word in words)
            {
                Head(request, '$', word.Length);
                request.Write(word);
                request.Write("\r\n"u8);
            }
        }
        if (valueLength > 0)
            Head(request, '$', valueLength);
        return request.GetBuffer().AsSpan(0, (int)request.Length);
    }

    static byte[][] Range(string key, int from) =>
        Words(["GETRANGE", key, Text(from), Text(from + Limits.BlobRangeBytes - 1)]);

    static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    static void Head(MemoryStream request, char kind, int number) =>
        request.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{kind}{number}\r\n")));

    /// <summary>The socket stays a blocking one, so that the system and not the thread pool wakes its reader.
    /// On Linux the limit of a write is also that of a connect.</summary>
    static Socket Connect(EndPoint address, TimeSpan timeout, int? bufferBytes)
    {
        var targets = address is DnsEndPoint dns
            ? Dns.GetHostAddresses(dns.Host).Select(EndPoint (a) => new IPEndPoint(a, dns.Port)).ToArray()
            : new[] { address };
        for (var i = 0; ; i++)
        {
            var socket = new Socket(targets[i].AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                if (bufferBytes is { } bytes)
                    (socket.SendBufferSize, socket.ReceiveBufferSize) = (bytes, bytes);
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

    static int Wait(TimeSpan timeout) => Math.Max(1, (int)timeout.TotalMilliseconds);
}
