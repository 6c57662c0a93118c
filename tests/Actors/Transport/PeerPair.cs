using System.Net;
using System.Text;
using Hearth.Actors.Transport;
using Xunit;

namespace Hearth.Actors.Tests.Transport;

/// <summary>A server with the given methods, and a network that calls it.</summary>
sealed class PeerPair : IAsyncDisposable
{
    PeerPair(PeerServer server) => (Server, Address) = (server, server.Address.ToString());

    public PeerServer Server { get; }
    public string Address { get; set; }
    public TcpPeerNetwork Network { get; } = new(new PeerIdentity("test"), TimeProvider.System);

    public static Task<PeerPair> StartAsync(PeerHandler handler) => StartAsync(new Dictionary<string, PeerHandler> { ["method"] = handler });

    public static async Task<PeerPair> StartAsync(Dictionary<string, PeerHandler> handlers) =>
        new(await PeerServer.StartAsync(
            new() { Listen = new(IPAddress.Loopback, 0), Identity = new PeerIdentity("test") }, handlers));

    public ValueTask<PeerCall> OpenAsync(string request = "", TimeSpan? deadline = null, bool bulk = false, string method = "method") =>
        Network.OpenAsync(
            Address, method, Encoding.UTF8.GetBytes(request), new() { Deadline = deadline, Bulk = bulk },
            TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await Network.DisposeAsync();
        await Server.DisposeAsync();
    }
}

static class PeerCallText
{
    public static ValueTask SendTextAsync(this PeerCall call, string text) =>
        call.SendAsync(Encoding.UTF8.GetBytes(text), TestContext.Current.CancellationToken);

    /// <summary>The next message as text; null at the end.</summary>
    public static async Task<string?> ReceiveTextAsync(this PeerCall call)
    {
        if (await call.ReceiveAsync(TestContext.Current.CancellationToken) is not { } message)
            return null;
        using (message)
            return Encoding.UTF8.GetString(message.Memory.Span);
    }

    public static async Task<PeerFault> FaultAsync(this PeerCall call) =>
        (await Assert.ThrowsAsync<PeerException>(async () =>
        {
            while (await call.ReceiveTextAsync() is not null)
            {
            }
        })).Fault;
}
