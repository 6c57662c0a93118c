using System.Net;
using System.Net.Sockets;
using Hearth.Actors.Transport;
using Hearth.Tests.Shared;
using Xunit;

namespace Hearth.Actors.Tests.Transport;

/// <summary>Peers that encrypt what they say.</summary>
public sealed class PeerTlsTests : IDisposable
{
    readonly TestAuthority _authority = new();
    readonly TestAuthority _foreign = new();

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _authority.Dispose();
        _foreign.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task CallsGoBothWaysAndNothingOfThemIsSeenOnTheWire(bool bulk)
    {
        var peer = new PeerIdentity("c", "a secret of enough bytes"u8.ToArray()) { Tls = Tls(_authority) };
        await using var server = await StartAsync(peer);
        var seen = new List<byte>();
        await using var wire = new FaultProxy(server.Address, seed: 1)
        {
            Heard = bytes =>
            {
                lock (seen)
                    seen.AddRange(bytes.Span);
            },
        };
        await using var network = new TcpPeerNetwork(peer, TimeProvider.System);
        for (var round = 0; round < 2; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
            {
                var text = $"in the clear {i}" + new string((char)('a' + i), i * 40_000);
                await using var call = await network.OpenAsync(
                    wire.Address, "echo", default, new() { Bulk = bulk }, Stop);
                await call.SendTextAsync(text);
                await call.CompleteAsync(Stop);
                Assert.Equal(text, await call.ReceiveTextAsync());
                Assert.Null(await call.ReceiveTextAsync());
            }));
        }
        await network.DisposeAsync();
        await server.StopAsync(TimeSpan.FromSeconds(1));
        await wire.DisposeAsync();
        Assert.Equal(0x16, seen[0]); // a handshake of TLS
        var all = seen.ToArray().AsSpan();
        Assert.Equal((-1, -1), (all.IndexOf("clear"u8), all.IndexOf("HRTH"u8)));
        Assert.Equal((0, 0), (server.BytesHeld, network.BytesHeld));
    }

    [Fact]
    public async Task WhoIsNotOfTheAuthorityIsRefusedBothWaysAndHarmsNobody()
    {
        var peer = new PeerIdentity("c") { Tls = Tls(_authority) };
        await using var server = await StartAsync(peer);
        await using var plainServer = await StartAsync(new PeerIdentity("c"));
        Assert.Null(await CallAsync(server, peer));
        // Its own certificate is of another authority; or it takes ours for one.
        var (certificate, key) = _foreign.Issue("stranger");
        var stranger = new PeerIdentity("c") { Tls = PeerTls.Load(certificate, key, _authority.Authorities) };
        Assert.Contains("TLS failed", await CallAsync(server, stranger), StringComparison.Ordinal);
        var (own, ownKey) = _authority.Issue("misled");
        var misled = new PeerIdentity("c") { Tls = PeerTls.Load(own, ownKey, _foreign.Authorities) };
        Assert.Contains("not of the given authority", await CallAsync(server, misled), StringComparison.Ordinal);
        Assert.NotNull(await CallAsync(server, new PeerIdentity("c")));
        Assert.Contains("TLS failed", await CallAsync(plainServer, peer), StringComparison.Ordinal);
        for (var seed = 0; seed < 50; seed++)
            await SendGarbageAsync(server.Address, seed);
        Assert.Null(await CallAsync(server, peer));
    }

    [Fact]
    public async Task ALineThatIsSpoiltEndsItsCallsAndTheNextCallGetsANewOne()
    {
        var peer = new PeerIdentity("c") { Tls = Tls(_authority) };
        await using var server = await StartAsync(peer);
        await using var proxy = new FaultProxy(server.Address, seed: 1);
        await using var network = new TcpPeerNetwork(peer, TimeProvider.System);
        await using (var call = await network.OpenAsync(proxy.Address, "echo", default, PeerCallOptions.Default, Stop))
        {
            await call.SendTextAsync("well");
            Assert.Equal("well", await call.ReceiveTextAsync());
            proxy.Requests = new() { Corrupt = 0.1 };
            await call.SendTextAsync("spoilt");
            Assert.Equal(PeerFault.Lost, await call.FaultAsync());
        }
        proxy.Requests = FaultPlan.None;
        await using var next = await network.OpenAsync(proxy.Address, "echo", default, PeerCallOptions.Default, Stop);
        await next.SendTextAsync("well again");
        Assert.Equal("well again", await next.ReceiveTextAsync());
    }

    [Fact]
    public void AFileThatIsNotWhatItShouldBeIsNamed()
    {
        var (certificate, key) = _authority.Issue("a");
        var (_, otherKey) = _authority.Issue("b");
        Assert.Contains("/nowhere", Assert.Throws<ArgumentException>(
            () => PeerTls.Load("/nowhere", key, _authority.Authorities)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => PeerTls.Load(certificate, otherKey, _authority.Authorities));
        Assert.Throws<ArgumentException>(() => PeerTls.Load(certificate, key, key));
    }

    static PeerTls Tls(TestAuthority authority)
    {
        var (certificate, key) = authority.Issue("peer");
        return PeerTls.Load(certificate, key, authority.Authorities);
    }

    static Task<PeerServer> StartAsync(PeerIdentity identity) => PeerServer.StartAsync(
        new() { Listen = new(IPAddress.Loopback, 0), Identity = identity },
        new Dictionary<string, PeerHandler>
        {
            ["echo"] = async (call, cancellation) =>
            {
                while (await call.ReceiveAsync(cancellation) is { } message)
                {
                    using (message)
                        await call.SendAsync(message.Memory, cancellation);
                }
            },
        });

    /// <summary>Null when the call went through, else why not.</summary>
    static async Task<string?> CallAsync(PeerServer server, PeerIdentity calling)
    {
        await using var network = new TcpPeerNetwork(calling, TimeProvider.System);
        try
        {
            await using var call = await network.OpenAsync(
                server.Address.ToString(), "echo", default, PeerCallOptions.Default, Stop);
            await call.CompleteAsync(Stop);
            Assert.Null(await call.ReceiveTextAsync());
            return null;
        }
        catch (PeerException e)
        {
            Assert.True(e.Fault == PeerFault.Refused || calling.Tls is null, $"{e.Fault}: {e.Message}");
            return e.Message;
        }
    }

    static async Task SendGarbageAsync(IPEndPoint address, int seed)
    {
        var bytes = new byte[500];
        new Random(seed).NextBytes(bytes);
        if (seed % 2 == 0)
            "\u0016\u0003\u0001\u0002\0\u0001"u8.CopyTo(bytes);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(address, Stop);
            await socket.SendAsync(bytes, Stop);
            socket.Shutdown(SocketShutdown.Send);
            while (await socket.ReceiveAsync(bytes, Stop) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // Hung up on: as it should be.
        }
    }
}
