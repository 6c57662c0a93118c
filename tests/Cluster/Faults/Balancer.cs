using System.Net;
using System.Net.Sockets;

namespace Hearth.Cluster.Tests.Faults;

/// <summary>Stands for a load balancer: each new connection goes to the next of the servers that it is told to use.</summary>
public sealed class Balancer : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly Func<IReadOnlyList<Uri>> _targets;
    readonly CancellationTokenSource _stop = new();
    readonly Task _accepting;

    public Balancer(Func<IReadOnlyList<Uri>> targets)
    {
        _targets = targets;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Url => new($"http://{_listener.LocalEndpoint}/");

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        for (var i = 0; ; i++)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            var targets = _targets();
            _ = PassAsync(client, targets[i % targets.Count]);
        }
    }

    async Task PassAsync(TcpClient client, Uri target)
    {
        using (client)
        using (var server = new TcpClient())
        {
            try
            {
                await server.ConnectAsync(target.Host, target.Port, _stop.Token);
                var up = client.GetStream().CopyToAsync(server.GetStream(), _stop.Token);
                await server.GetStream().CopyToAsync(client.GetStream(), _stop.Token);
                client.Close();
                await up;
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // One side is gone: closing tells the other.
            }
        }
    }
}
