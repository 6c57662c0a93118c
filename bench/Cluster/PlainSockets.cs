using System.Net;
using System.Net.Sockets;

namespace Hearth.Cluster.Bench;

/// <summary>The measure of what sockets give: two pairs of them, an echo and a sink, nothing but bytes.</summary>
sealed class PlainSockets(Socket echo, Socket sink) : IDisposable
{
    const int Bytes = 128;

    readonly byte[] _small = new byte[Bytes];

    public static async Task<PlainSockets> ConnectAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var (echo, echoServer) = await PairAsync(listener);
        var (sink, sinkServer) = await PairAsync(listener);
        _ = ServeEchoAsync(echoServer);
        _ = ServeSinkAsync(sinkServer);
        return new PlainSockets(echo, sink);
    }

    public async Task EchoAsync()
    {
        await echo.SendAsync(_small);
        for (var received = 0; received < Bytes;)
            received += await echo.ReceiveAsync(_small.AsMemory(received));
    }

    /// <summary>Until the other side has read it all.</summary>
    public async Task SendAsync(byte[] message, long bytes)
    {
        await sink.SendAsync((byte[])[.. BitConverter.GetBytes(bytes), .. BitConverter.GetBytes((long)message.Length)]);
        for (var sent = 0L; sent < bytes; sent += message.Length)
            await sink.SendAsync(message);
        await sink.ReceiveAsync(_small.AsMemory(0, 1));
    }

    public void Dispose()
    {
        echo.Dispose();
        sink.Dispose();
    }

    static async Task<(Socket, Socket)> PairAsync(Socket listener)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(listener.LocalEndPoint!);
        var server = await listener.AcceptAsync();
        server.NoDelay = true;
        return (client, server);
    }

    static async Task ServeEchoAsync(Socket socket)
    {
        var buffer = new byte[Bytes];
        for (int received; (received = await socket.ReceiveAsync(buffer)) > 0;)
            await socket.SendAsync(buffer.AsMemory(0, received));
    }

    /// <summary>Receives messages whole, each in the same memory.</summary>
    static async Task ServeSinkAsync(Socket socket)
    {
        var head = new byte[16];
        while (await socket.ReceiveAsync(head) == head.Length)
        {
            var message = new byte[BitConverter.ToInt64(head, 8)];
            for (var left = BitConverter.ToInt64(head); left > 0;)
            {
                for (var received = 0; received < message.Length;)
                    received += await socket.ReceiveAsync(message.AsMemory(received));
                left -= message.Length;
            }
            await socket.SendAsync(head.AsMemory(0, 1));
        }
    }
}
