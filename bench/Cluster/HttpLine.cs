using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Hearth.Cluster.Bench;

/// <summary>One client's connection to a gateway, which streams one reply after the other.</summary>
sealed class HttpLine : IDisposable
{
    readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    readonly byte[] _buffer = new byte[64 << 10];
    readonly int _port;

    HttpLine(int port) => _port = port;

    public static async Task<HttpLine> ConnectAsync(int port)
    {
        var line = new HttpLine(port);
        await line._socket.ConnectAsync(IPAddress.Loopback, port);
        return line;
    }

    /// <summary>Milliseconds to the reply's first chunk and to its end.</summary>
    public async Task<(double First, double Whole)> TimeAsync(string conversation)
    {
        var start = Stopwatch.GetTimestamp();
        var body = $$"""{"model":"canned","stream":true,"conversation":"{{conversation}}","messages":[{"role":"user","content":"More, please."}]}""";
        await _socket.SendAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{_port}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}")));
        var (first, read) = (0.0, 0);
        while (true)
        {
            var count = await _socket.ReceiveAsync(_buffer.AsMemory(read));
            if (count == 0)
                throw new InvalidOperationException($"The gateway hung up: {Encoding.UTF8.GetString(_buffer, 0, read)}");
            read += count;
            if (first == 0 && _buffer.AsSpan(0, read).IndexOf("data: "u8) >= 0)
                first = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            if (_buffer.AsSpan(0, read).EndsWith("\r\n0\r\n\r\n"u8))
                return (first, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
    }

    public void Dispose() => _socket.Dispose();
}
