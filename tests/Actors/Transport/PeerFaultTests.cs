using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Hearth.Actors.Transport;
using Hearth.Tests.Shared;
using Xunit;

namespace Hearth.Actors.Tests.Transport;

public sealed class PeerFaultTests
{
    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task BothSidesNoticeInAboutTwoSecondsThatTheOtherIsGoneWithoutAWord(bool bulk)
    {
        var lost = new TaskCompletionSource<PeerFault>();
        await using var pair = await PeerPair.StartAsync(async (call, _) =>
        {
            await call.SendTextAsync("begun");
            lost.SetResult(await call.FaultAsync());
        });
        await using var proxy = new FaultProxy(pair.Server.Address, seed: 1);
        pair.Address = proxy.Address;
        await using var call = await pair.OpenAsync(bulk: bulk);
        Assert.Equal("begun", await call.ReceiveTextAsync());
        proxy.Requests = proxy.Replies = new() { Swallow = true };
        var begun = Stopwatch.GetTimestamp();
        Assert.Equal(PeerFault.Lost, await call.FaultAsync());
        Assert.Equal(PeerFault.Lost, await lost.Task.WaitAsync(TimeSpan.FromSeconds(5), Stop));
        Assert.InRange(Stopwatch.GetElapsedTime(begun), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task AConnectionCutAnywhereEndsItsCallsAndTheNextCallGetsANewOne()
    {
        await using var pair = await PeerPair.StartAsync(ReadAllAsync);
        for (var cut = 1; cut < 2_000_000; cut = cut * 3 / 2 + 7)
        {
            await using var proxy = new FaultProxy(pair.Server.Address, cut) { Requests = new() { CutAfter = cut } };
            pair.Address = proxy.Address;
            var failure = await Assert.ThrowsAsync<PeerException>(async () =>
            {
                await using var call = await pair.OpenAsync();
                while (true)
                    await call.SendAsync(new byte[100_000], Stop);
            });
            Assert.True(failure.Fault is PeerFault.Unreachable or PeerFault.Lost, $"{failure.Fault} after {cut} bytes");
            proxy.Requests = FaultPlan.None;
            await using var next = await pair.OpenAsync();
            await next.CompleteAsync(Stop);
            Assert.Equal("0", await next.ReceiveTextAsync());
        }
    }

    [Fact]
    public async Task DrippingBytesOnlyTakeLonger()
    {
        var drip = new FaultPlan { DripBytes = 1, DripPause = TimeSpan.Zero };
        await using var pair = await PeerPair.StartAsync(ReadAllAsync);
        await using var proxy = new FaultProxy(pair.Server.Address, seed: 1) { Requests = drip, Replies = drip };
        pair.Address = proxy.Address;
        await using var call = await pair.OpenAsync();
        await call.SendTextAsync(new string('x', 2000));
        await call.CompleteAsync(Stop);
        Assert.Equal("2000", await call.ReceiveTextAsync());
    }

    [Fact]
    public async Task ACorruptHeaderEndsTheConnectionAndNoOther()
    {
        await using var pair = await PeerPair.StartAsync(ReadAllAsync);
        await using var well = await pair.OpenAsync();
        await using var proxy = new FaultProxy(pair.Server.Address, seed: 1);
        pair.Address = proxy.Address;
        await using var call = await pair.OpenAsync();
        // A bit of each byte: a frame that says it is longer than any may be.
        proxy.Requests = new() { Corrupt = 1 };
        await call.SendTextAsync("spoilt");
        Assert.Equal(PeerFault.Lost, await call.FaultAsync());
        await well.SendTextAsync("well");
        await well.CompleteAsync(Stop);
        Assert.Equal("4", await well.ReceiveTextAsync());
    }

    [Fact]
    public async Task NoBytesHurtTheServer()
    {
        await using var pair = await PeerPair.StartAsync(ReadAllAsync);
        await using var well = await pair.OpenAsync();
        for (var seed = 0; seed < 300; seed++)
            await SendGarbageAsync(pair.Server.Address, seed);
        await well.SendTextAsync("well");
        await well.CompleteAsync(Stop);
        Assert.Equal("4", await well.ReceiveTextAsync());
    }

    /// <summary>With every third seed from the first byte on, else after a good handshake, else as frames that are nearly
    /// right.</summary>
    static async Task SendGarbageAsync(IPEndPoint address, int seed)
    {
        var random = new Random(seed);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address, Stop);
        if (seed % 3 > 0)
        {
            var line = await PeerLine.AskAsync(socket, null, Stop);
            await PeerHandshake.AskAsync(line, new PeerInbox(line, 4096), new PeerIdentity("test"), seed % 2 == 0, Stop);
        }
        var bytes = new byte[random.Next(1, 2000)];
        random.NextBytes(bytes);
        if (seed % 3 == 2)
        {
            for (var i = 0; i + PeerFrame.Bytes <= bytes.Length; i += PeerFrame.Bytes + random.Next(2))
            {
                var kind = (PeerFrameKind)random.Next(1, 8);
                new PeerFrame(kind, (uint)random.Next(3), random.Next(40), (uint)random.Next(60)).Write(bytes.AsSpan(i));
            }
        }
        try
        {
            await socket.SendAsync(bytes, Stop);
            socket.Shutdown(SocketShutdown.Send);
            while (await socket.ReceiveAsync(bytes, Stop) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // Refused in the middle: as it should be.
        }
    }

    /// <summary>Answers with the number of bytes it got.</summary>
    static async Task ReadAllAsync(PeerCall call, CancellationToken cancellation)
    {
        var bytes = 0L;
        while (await call.ReceiveAsync(cancellation) is { } message)
        {
            using (message)
                bytes += message.Memory.Length;
        }
        await call.SendTextAsync($"{bytes}");
    }
}
