using System.Diagnostics;
using System.Globalization;
using Hearth.Actors;
using Hearth.Actors.Storage.Redis;
using Hearth.Kernels.Bench;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Cluster.Bench;

/// <summary>Cache chunks to Redis and back, against <c>redis-benchmark</c> with values of the same size, round by round.
/// Usage: spill HOST:PORT [KiB] [at once].</summary>
static class SpillPath
{
    const int Rounds = 9, Calls = 120;

    public static async Task RunAsync(string[] args)
    {
        var server = args[0];
        var bytes = (args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 4096) << 10;
        var atOnce = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 2;
        var value = new byte[bytes];
        new Random(1).NextBytes(value);
        await using var store = await RedisStore.ConnectAsync(
            new RedisOptions { Control = server, Cluster = "bench" }, TimeProvider.System, NullLogger.Instance, default);
        var grain = new GrainId("bench", "spill");
        var buffers = Enumerable.Range(0, atOnce).Select(_ => new byte[bytes]).ToArray();
        foreach (var (name, call) in new (string, Func<int, Task>)[]
        {
            ("SET", async i => await store.Blobs.PutAsync(grain, $"b{i % 16}", value, default)),
            ("GET", async i => await store.Blobs.ReadAsync(grain, $"b{i % 16}", buffers[i % atOnce], default)),
        })
        {
            var (ours, theirs, ratio) = (new Samples("F2"), new Samples("F2"), new Samples("F2"));
            for (var round = -1; round < Rounds; round++)
            {
                var mine = await MeasureAsync(call, atOnce) * bytes / 1e9;
                var peer = await PeerAsync(server, name, bytes, atOnce) * bytes / 1e9;
                if (round < 0)
                    continue;
                ours.Add(mine);
                theirs.Add(peer);
                ratio.Add(mine / peer);
            }
            Console.WriteLine($"{name} {bytes >> 10} KiB, {atOnce} at once: {ours} GB/s, redis-benchmark {theirs} GB/s, ratio {ratio}");
        }
    }

    static async Task<double> MeasureAsync(Func<int, Task> call, int atOnce)
    {
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async lane =>
        {
            for (var i = lane; i < Calls; i += atOnce)
                await call(i);
        }));
        return Calls / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <returns>Calls per second.</returns>
    static async Task<double> PeerAsync(string server, string name, int bytes, int atOnce)
    {
        var (host, port) = (server.Split(':')[0], server.Split(':')[1]);
        using var process = Process.Start(new ProcessStartInfo("redis-benchmark",
            ["-h", host, "-p", port, "-t", name, "-d", $"{bytes}", "-n", $"{Calls}", "-c", $"{atOnce}", "--csv"])
        {
            RedirectStandardOutput = true,
        })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        var line = output.Split('\n').First(l => l.StartsWith($"\"{name}\"", StringComparison.Ordinal));
        return double.Parse(line.Split(',')[1].Trim('"'), CultureInfo.InvariantCulture);
    }
}
