using System.Diagnostics;
using System.Net;
using Hearth.Actors.Transport;
using Hearth.Kernels.Bench;

namespace Hearth.Cluster.Bench;

/// <summary>Peer calls on loopback beside plain sockets, in turns, both ends in this process.</summary>
static class PeersBench
{
    const int Rounds = 7;
    const int RoundTrips = 3_000;
    const long BulkBytes = 1L << 30;

    /// <param name="arguments">Files of a certificate, its key and its authority, for TLS; or none.</param>
    public static async Task RunAsync(string[] arguments)
    {
        var identity = new PeerIdentity("bench")
        {
            Tls = arguments is [var certificate, var key, var authority] ? PeerTls.Load(certificate, key, authority) : null,
        };
        await using var server = await PeerServer.StartAsync(
            new() { Listen = new(IPAddress.Loopback, 0), Identity = identity },
            new Dictionary<string, PeerHandler> { ["echo"] = EchoAsync, ["sink"] = SinkAsync });
        await using var network = new TcpPeerNetwork(identity, TimeProvider.System);
        var address = server.Address.ToString();
        using var plain = await PlainSockets.ConnectAsync();

        var (peer50, peer99, plain50, plain99, unary50, unary99) = (Micro(), Micro(), Micro(), Micro(), Micro(), Micro());
        for (var round = 0; round < Rounds; round++)
        {
            Add(await TimeEachAsync(plain.EchoAsync), plain50, plain99);
            await using var call = await network.OpenAsync(address, "echo", default, PeerCallOptions.Default, default);
            Add(await TimeEachAsync(() => RoundTripAsync(call)), peer50, peer99);
            Add(await TimeEachAsync(() => UnaryAsync(network, address)), unary50, unary99);
        }
        Console.WriteLine($"128 bytes there and back, us: p50, p99; medians of {Rounds} rounds [range]");
        Console.WriteLine($"  plain socket     {plain50}, {plain99}");
        Console.WriteLine($"  message of call  {peer50}, {peer99}");
        Console.WriteLine($"  whole call       {unary50}, {unary99}");
        await ThroughputAsync(network, address);
        foreach (var megabytes in new[] { 1, 4, 8 })
            await BulkAsync(network, address, plain, megabytes << 20);
    }

    static Samples Micro() => new("F1");

    static async Task BulkAsync(TcpPeerNetwork network, string address, PlainSockets plain, int messageBytes)
    {
        var (peers, sockets) = (new Samples("F2"), new Samples("F2"));
        var message = new byte[messageBytes];
        var allocated = 0L;
        for (var round = 0; round < Rounds; round++)
        {
            sockets.Add(BulkBytes / 1e9 / await SecondsAsync(() => plain.SendAsync(message, BulkBytes)));
            var before = GC.GetTotalAllocatedBytes();
            peers.Add(BulkBytes / 1e9 / await SecondsAsync(() => SendAsync(network, address, message)));
            allocated = GC.GetTotalAllocatedBytes() - before;
        }
        Console.WriteLine(
            $"bulk, messages of {messageBytes >> 20} MiB, GB/s: plain socket {sockets}, call {peers}; " +
            $"{allocated / (BulkBytes / messageBytes)} bytes allocated per message");
    }

    static async Task SendAsync(TcpPeerNetwork network, string address, byte[] message)
    {
        await using var call = await network.OpenAsync(address, "sink", default, new() { Bulk = true }, default);
        for (var sent = 0L; sent < BulkBytes; sent += message.Length)
            await call.SendAsync(message, default);
        await call.CompleteAsync(default);
        if (await call.ReceiveAsync(default) is not null)
            throw new InvalidOperationException("the sink answered");
    }

    static async Task ThroughputAsync(TcpPeerNetwork network, string address)
    {
        const int Callers = 64;
        var calls = new Samples("F0");
        for (var round = 0; round < Rounds; round++)
        {
            var seconds = await SecondsAsync(() => Task.WhenAll(Enumerable.Range(0, Callers).Select(async _ =>
            {
                for (var i = 0; i < RoundTrips / 10; i++)
                    await UnaryAsync(network, address);
            })));
            calls.Add(Callers * RoundTrips / 10 / seconds);
        }
        Console.WriteLine($"whole calls per second, {Callers} callers on one connection: {calls}");
    }

    static readonly byte[] Small = new byte[128];

    static async Task RoundTripAsync(PeerCall call)
    {
        await call.SendAsync(Small, default);
        using var answer = await call.ReceiveAsync(default);
    }

    static async Task UnaryAsync(TcpPeerNetwork network, string address)
    {
        await using var call = await network.OpenAsync(address, "echo", Small, PeerCallOptions.Default, default);
        await call.CompleteAsync(default);
        using var answer = await call.ReceiveAsync(default);
        if (await call.ReceiveAsync(default) is not null)
            throw new InvalidOperationException("one answer was expected");
    }

    static async Task EchoAsync(PeerCall call, CancellationToken cancellation)
    {
        if (call.Request.Length > 0)
            await call.SendAsync(call.Request, cancellation);
        while (await call.ReceiveAsync(cancellation) is { } message)
        {
            using (message)
                await call.SendAsync(message.Memory, cancellation);
        }
    }

    static async Task SinkAsync(PeerCall call, CancellationToken cancellation)
    {
        while (await call.ReceiveAsync(cancellation) is { } message)
            message.Dispose();
    }

    static async Task<double[]> TimeEachAsync(Func<Task> action)
    {
        var microseconds = new double[RoundTrips];
        for (var i = 0; i < RoundTrips; i++)
            microseconds[i] = 1e6 * await SecondsAsync(action);
        Array.Sort(microseconds);
        return microseconds;
    }

    static void Add(double[] sorted, Samples p50, Samples p99)
    {
        p50.Add(sorted[sorted.Length / 2]);
        p99.Add(sorted[sorted.Length * 99 / 100]);
    }

    static async Task<double> SecondsAsync(Func<Task> action)
    {
        var start = Stopwatch.GetTimestamp();
        await action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
