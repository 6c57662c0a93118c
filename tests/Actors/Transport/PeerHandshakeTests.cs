using System.Net;
using System.Net.Sockets;
using System.Text;
using Hearth.Actors.Transport;
using Xunit;

namespace Hearth.Actors.Tests.Transport;

public sealed class PeerHandshakeTests
{
    static readonly byte[] Secret = "a secret of enough bytes"u8.ToArray();
    static readonly byte[] OtherSecret = "another one of enough bytes"u8.ToArray();

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TheSameNameAndSecretLetACallThrough() =>
        Assert.Null(await CallAsync(new("c", Secret), new("c", Secret)));

    [Fact]
    public async Task AnythingElseIsRefusedWithTheReason()
    {
        Assert.Contains("cluster of another name", await CallAsync(new("c"), new("d")), StringComparison.Ordinal);
        Assert.Contains("has another secret", await CallAsync(new("c", Secret), new("c", OtherSecret)), StringComparison.Ordinal);
        Assert.Contains("asks for the cluster's secret", await CallAsync(new("c", Secret), new("c")), StringComparison.Ordinal);
        Assert.Contains("the peer has no secret", await CallAsync(new("c"), new("c", Secret)), StringComparison.Ordinal);
    }

    /// <summary>As in a rolling restart: at every step of a change of the secret, the old and the new processes meet.</summary>
    [Fact]
    public async Task TheSecretIsChangedWithoutACallThatFails()
    {
        PeerIdentity[] steps =
            [new("c", Secret), new("c", Secret, OtherSecret), new("c", OtherSecret, Secret), new("c", OtherSecret)];
        foreach (var (before, after) in steps.Zip(steps.Skip(1)))
        {
            Assert.Null(await CallAsync(before, after));
            Assert.Null(await CallAsync(after, before));
        }
        Assert.Contains("has another secret", await CallAsync(steps[0], steps[3]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnotherVersionIsRefusedAndTold()
    {
        await using var server = await StartAsync(new("c"));
        using var socket = await ConnectAsync(server);
        await socket.SendAsync("HRTH\u0002\u0000\u0000\u0001"u8.ToArray(), Stop);
        var answer = new byte[72];
        await new NetworkStream(socket).ReadExactlyAsync(answer, Stop);
        Assert.Equal("HRTH\u0001\u0000\u0001"u8.ToArray(), answer[..7]);
        Assert.Equal(0, await socket.ReceiveAsync(answer, Stop));
    }

    [Fact]
    public async Task APeerOfAnotherVersionIsNotGuessedAt()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        await using var network = new TcpPeerNetwork(new("c"), TimeProvider.System);
        var opening = network.OpenAsync(
            listener.LocalEndPoint!.ToString()!, "m", default, PeerCallOptions.Default, Stop).AsTask();
        using var socket = await listener.AcceptAsync(Stop);
        await socket.SendAsync(Encoding.ASCII.GetBytes("HRTH\u0007\0".PadRight(72, '\0')), Stop);
        var failure = await Assert.ThrowsAsync<PeerException>(() => opening);
        Assert.Equal(PeerFault.Refused, failure.Fault);
        Assert.Contains("speaks version 7", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ACallerWithoutTheSecretSendsNoFrame()
    {
        await using var server = await StartAsync(new("c", Secret));
        using var socket = await ConnectAsync(server);
        // A proof of zeros is what a server without a secret would take.
        byte[] hello = [.. "HRTH\u0001\u0000\u0000\u0001"u8, .. new byte[32], (byte)'c'];
        await socket.SendAsync(hello, Stop);
        var answer = new byte[73];
        await new NetworkStream(socket).ReadExactlyAsync(answer.AsMemory(0, 72), Stop);
        await socket.SendAsync(new byte[32], Stop);
        Assert.Equal(1, await socket.ReceiveAsync(answer, Stop));
        Assert.NotEqual(0, answer[0]);
        Assert.Equal(0, await socket.ReceiveAsync(answer, Stop));
    }

    [Fact]
    public async Task WhoSaysNothingIsHungUpOn()
    {
        await using var server = await StartAsync(new("c"));
        using var socket = await ConnectAsync(server);
        Assert.Equal(0, await socket.ReceiveAsync(new byte[1], Stop).AsTask().WaitAsync(Limits.PeerHandshake * 3, Stop));
    }

    [Fact]
    public async Task WhoAcceptsAndSaysNothingIsUnreachable()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        await using var network = new TcpPeerNetwork(new("c"), TimeProvider.System);
        var address = listener.LocalEndPoint!.ToString()!;
        var failure = await Assert.ThrowsAsync<PeerException>(
            () => network.OpenAsync(address, "m", default, PeerCallOptions.Default, Stop).AsTask());
        Assert.Equal(PeerFault.Unreachable, failure.Fault);
        Assert.Contains(address, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ASecretTooShortIsRefusedAtTheStart() =>
        Assert.Throws<ArgumentException>(() => new TcpPeerNetwork(new("c", new byte[8]), TimeProvider.System));

    /// <summary>Null when the call went through, else why not.</summary>
    static async Task<string?> CallAsync(PeerIdentity serving, PeerIdentity calling)
    {
        await using var server = await StartAsync(serving);
        await using var network = new TcpPeerNetwork(calling, TimeProvider.System);
        try
        {
            await using var call = await network.OpenAsync(
                server.Address.ToString(), "method", default, PeerCallOptions.Default, Stop);
            Assert.Null(await call.ReceiveTextAsync());
            return null;
        }
        catch (PeerException e)
        {
            Assert.Equal(PeerFault.Refused, e.Fault);
            return e.Message;
        }
    }

    static Task<PeerServer> StartAsync(PeerIdentity identity) => PeerServer.StartAsync(
        new() { Listen = new(IPAddress.Loopback, 0), Identity = identity },
        new Dictionary<string, PeerHandler> { ["method"] = (_, _) => Task.CompletedTask });

    static async Task<Socket> ConnectAsync(PeerServer server)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server.Address, Stop);
        return socket;
    }
}
