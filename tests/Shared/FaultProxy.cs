using System.Net;
using System.Net.Sockets;

namespace Hearth.Tests.Shared;

/// <summary>A TCP proxy before a server that can keep back what the server answers, and cut its connections.</summary>
public sealed class FaultProxy : IDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly List<TcpClient> _clients = [];
    readonly int _target;

    public FaultProxy(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    public string Address => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>Answers of the server go nowhere, on connections that stay.</summary>
    public bool SwallowsReplies { get; set; }

    /// <summary>Breaks every connection.</summary>
    public void Cut()
    {
        lock (_clients)
        {
            foreach (var client in _clients)
                client.Dispose();
            _clients.Clear();
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        Cut();
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                var server = new TcpClient(AddressFamily.InterNetwork);
                lock (_clients)
                    _clients.AddRange([client, server]);
                await server.ConnectAsync(IPAddress.Loopback, _target, _stop.Token);
                _ = CopyAsync(client, server, () => false);
                _ = CopyAsync(server, client, () => SwallowsReplies);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // The proxy, or the server behind it, has ended.
        }
    }

    static async Task CopyAsync(TcpClient from, TcpClient to, Func<bool> swallow)
    {
        var buffer = new byte[1 << 16];
        try
        {
            for (int n; (n = await from.GetStream().ReadAsync(buffer)) > 0;)
            {
                if (!swallow())
                    await to.GetStream().WriteAsync(buffer.AsMemory(0, n));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // One end has gone; the other one goes with it.
        }
        from.Dispose();
        to.Dispose();
    }
}
