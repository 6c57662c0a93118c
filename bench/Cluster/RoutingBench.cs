using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Hearth.Gateway;

namespace Hearth.Cluster.Bench;

/// <summary>Usage: routing REDIS [conversations]. Five gateways before four silos and a directory of many conversations on Redis:
/// how many warm turns reach their owner at once while some conversations move, and what the way through a gateway adds to
/// calling the silo directly, in turns. All in this process but Redis, over loopback.</summary>
static class RoutingBench
{
    const int Silos = 4;
    const int Gateways = 5;
    const int AtOnce = 32;
    const int Turns = 30_000;
    const int Tokens = 16;
    const int MovedPerMille = 5;
    const int Timed = 4_000;
    const int WarmUp = 500;

    public static async Task RunAsync(string[] args)
    {
        if (args is not [var redis, ..])
            throw new ArgumentException("Name the redis-server, such as 127.0.0.1:6379; its data is not kept apart.");
        var conversations = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 1_000_000;
        await using var store = await BenchGateway.StoreAsync(redis);
        var owners = new byte[conversations];
        var silos = new CannedSilo[Silos];
        for (var i = 0; i < Silos; i++)
        {
            silos[i] = await CannedSilo.StartAsync(
                store.Membership, $"bench-{i}", name => silos[owners[NumberOf(name)]].Id, Tokens, TimeSpan.Zero);
        }
        await FillAsync(store.Grains, silos, owners);
        var gateways = new BenchGateway[Gateways];
        for (var i = 0; i < Gateways; i++)
            gateways[i] = await BenchGateway.StartAsync(redis, i);
        await AffinityAsync(store.Grains, silos, owners, gateways);
        await LatencyAsync(silos, owners, gateways[0]);
        foreach (var gateway in gateways)
            await gateway.DisposeAsync();
        foreach (var silo in silos)
            await silo.DisposeAsync();
    }

    static string NameOf(int number) => string.Create(CultureInfo.InvariantCulture, $"conv_{number}");

    static int NumberOf(string name) => int.Parse(name.AsSpan("conv_".Length), CultureInfo.InvariantCulture);

    static GrainId GrainOf(int number) => new(TenantId.Local.Value, NameOf(number));

    static async Task FillAsync(IGrainStore store, CannedSilo[] silos, byte[] owners)
    {
        var start = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(0, owners.Length, new ParallelOptions { MaxDegreeOfParallelism = 512 }, async (i, stop) =>
        {
            owners[i] = (byte)(i % Silos);
            await store.AcquireAsync(GrainOf(i), silos[owners[i]].Id, "a", null, stop);
        });
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine($"directory: {owners.Length} conversations in {seconds:F1} s");
    }

    static async Task AffinityAsync(IGrainStore store, CannedSilo[] silos, byte[] owners, BenchGateway[] gateways)
    {
        var before = silos.Select(s => s.Turns).ToArray();
        var hot = Math.Min(20_000, owners.Length);
        var (finished, moves) = (0, 0);
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async worker =>
        {
            var random = new Random(worker);
            for (var i = worker; i < Turns; i += AtOnce)
            {
                // Four of five turns are of the conversations in use; each worker has its own, so that a move meets no turn.
                var number = random.Next(random.Next(5) == 0 ? owners.Length : hot) / AtOnce * AtOnce + worker;
                if (number >= owners.Length)
                    continue;
                if (random.Next(1000) < MovedPerMille && await MoveAsync(store, silos, owners, number))
                    Interlocked.Increment(ref moves);
                var turn = BenchGateway.Turn(NameOf(number), $"turn_{i}");
                if (await LastAsync(gateways[random.Next(gateways.Length)].Cluster.RunTurnAsync(turn, default)) is TurnFinished)
                    Interlocked.Increment(ref finished);
            }
        }));
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var taken = silos.Zip(before, (s, b) => s.Turns.Taken - b.Taken).Sum();
        var sentOn = silos.Zip(before, (s, b) => s.Turns.SentOn - b.SentOn).Sum();
        Console.WriteLine($"affinity: {finished} of {taken} turns finished, {Gateways} gateways at random, {Silos} silos, "
            + $"{moves} conversations moved meanwhile");
        Console.WriteLine($"  at the owner with the first call: {100.0 * (taken - sentOn) / taken:F3} %, {sentOn} sent on; "
            + $"{taken / seconds:F0} turns/s");
    }

    static async Task<bool> MoveAsync(IGrainStore store, CannedSilo[] silos, byte[] owners, int number)
    {
        var to = (byte)((owners[number] + 1) % Silos);
        var moved = await store.HandOverAsync(GrainOf(number), new Fence(1, "a"), silos[to].Id, "b", null, default);
        if (moved.Outcome == AcquireOutcome.Acquired)
            owners[number] = to;
        return moved.Outcome == AcquireOutcome.Acquired;
    }

    static async Task LatencyAsync(CannedSilo[] silos, byte[] owners, BenchGateway gateway)
    {
        var random = new Random(7);
        var (direct, cached, located, http) = (new Latencies(), new Latencies(), new Latencies(), new Latencies());
        await using var app = GatewayHost.Build(new GatewayOptions { Urls = ["http://127.0.0.1:0"] }, gateway.Cluster);
        await app.StartAsync();
        using var line = await HttpLine.ConnectAsync(new Uri(app.Urls.First()).Port);
        for (var i = -WarmUp; i < Timed; i++)
        {
            var number = random.Next(owners.Length);
            var turn = BenchGateway.Turn(NameOf(number), $"timed_{i}");
            var first = await TimeAsync(gateway.Cluster.RunTurnAsync(turn, default));
            var again = await TimeAsync(gateway.Cluster.RunTurnAsync(turn, default));
            var plain = await TimeAsync(DirectAsync(gateway.Network, silos[owners[number]].Address, turn));
            var whole = await line.TimeAsync(NameOf(number));
            if (i < 0)
                continue;
            http.Add(whole);
            located.Add(first);
            cached.Add(again);
            direct.Add(plain);
        }
        Console.WriteLine($"latency, ms, {Timed} turns of {Tokens} tokens one after the other: first event p50, p99; whole turn p50, p99");
        Console.WriteLine($"  silo called directly        {direct}");
        Console.WriteLine($"  gateway, owner cached       {cached}; added {cached.Over(direct)}");
        Console.WriteLine($"  client over HTTP and SSE    {http}; added {http.Over(direct)}");
        Console.WriteLine($"  gateway, owner in directory {located}; added {located.Over(direct)}");
    }

    static async IAsyncEnumerable<TurnEvent> DirectAsync(TcpPeerNetwork network, string address, ChatTurn turn)
    {
        var request = JsonSerializer.SerializeToUtf8Bytes(new RunTurnCall(turn, 0, []), ContractsJson.Default.RunTurnCall);
        await using var call = await network.OpenAsync(address, PeerMethods.RunTurn, request, PeerCallOptions.Default, default);
        while (await call.ReceiveAsync(default) is { } message)
        {
            using (message)
                yield return JsonSerializer.Deserialize(message.Memory.Span, ContractsJson.Default.TurnEvent)!;
        }
    }

    static async Task<TurnEvent?> LastAsync(IAsyncEnumerable<TurnEvent> events)
    {
        TurnEvent? last = null;
        await foreach (var happened in events)
            last = happened;
        return last;
    }

    static async Task<(double First, double Whole)> TimeAsync(IAsyncEnumerable<TurnEvent> events)
    {
        var start = Stopwatch.GetTimestamp();
        var first = 0.0;
        await foreach (var happened in events)
        {
            if (happened.Sequence == 0)
                first = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
        return (first, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
    }
}

/// <summary>Times of turns, ms.</summary>
sealed class Latencies
{
    readonly List<double> _first = [];
    readonly List<double> _whole = [];

    public void Add((double First, double Whole) times)
    {
        _first.Add(times.First);
        _whole.Add(times.Whole);
    }

    public string Over(Latencies other) => $"first event {At(_first, 0.5) - At(other._first, 0.5):F3}, "
        + $"{At(_first, 0.99) - At(other._first, 0.99):F3}; whole {At(_whole, 0.5) - At(other._whole, 0.5):F3}, "
        + $"{At(_whole, 0.99) - At(other._whole, 0.99):F3}";

    public override string ToString() =>
        $"{At(_first, 0.5):F3}, {At(_first, 0.99):F3}; {At(_whole, 0.5):F3}, {At(_whole, 0.99):F3}";

    static double At(List<double> values, double part)
    {
        values.Sort();
        return values[Math.Min(values.Count - 1, (int)(values.Count * part))];
    }
}
