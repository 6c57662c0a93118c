using System.Diagnostics;
using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Actors.Storage.Redis;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Cluster.Bench;

/// <summary>How long after <c>kill -9</c> of a beating process an observer sees it dead, on a real Redis:
/// <c>detection host:port [rounds]</c>. Odd rounds tell the observer at once that a connection broke, as a gateway
/// would.</summary>
static class DetectionBench
{
    const int Together = 5;

    public static async Task RunAsync(string[] arguments)
    {
        if (arguments is ["beat", var at, var cluster, var name])
        {
            await BeatAsync(at, cluster, name);
            return;
        }
        var redis = arguments.Length > 0 ? arguments[0] : "127.0.0.1:6379";
        var rounds = arguments.Length > 1 ? int.Parse(arguments[1], null) : 10;
        var random = new Random(1);
        var clusterName = $"bench{Environment.ProcessId}";
        var (store, watcher) = await OpenAsync(redis, clusterName);
        var took = new List<double>[] { [], [] };
        for (var round = 0; round < rounds; round++)
        {
            var silos = Enumerable.Range(0, Together).Select(i => (Name: $"s{round}-{i}", Process: Start(redis, clusterName, $"s{round}-{i}")))
                .ToList();
            var active = await UntilAsync(watcher, v => silos.TrueForAll(s => v.Silos.Any(x => x.Name == s.Name && x.Status == SiloStatus.Active)));
            foreach (var (silo, process) in silos)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(300)), TimeProvider.System, CancellationToken.None);
                var id = active.Silos.Single(s => s.Name == silo).Id;
                var killed = Stopwatch.GetTimestamp();
                process.Kill();
                if (round % 2 == 1)
                    watcher.Suspect(id);
                _ = SeenAsync(id, killed, took[round % 2]);
            }
            await UntilAsync(watcher, v => v.Silos.All(s => s.Status == SiloStatus.Dead));
            silos.ForEach(s => s.Process.Dispose());
        }
        Print("kill -9 to dead", took[0]);
        Print("kill -9 to dead, suspected at once", took[1]);
        await watcher.DisposeAsync();
        await store.DisposeAsync();

        async Task SeenAsync(string id, long killed, List<double> times)
        {
            await UntilAsync(watcher, v => v.Find(id) is null or { Status: SiloStatus.Dead });
            lock (times)
                times.Add(Stopwatch.GetElapsedTime(killed).TotalMilliseconds);
        }
    }

    static async Task BeatAsync(string redis, string cluster, string name)
    {
        var (store, watcher) = await OpenAsync(redis, cluster);
        await using var member = new SiloMember(
            store.Membership, new MembershipOptions(), () => new SiloLoad(), TimeProvider.System, NullLogger.Instance);
        await member.JoinAsync(new SiloEntry($"{name}/{SiloMember.NewGeneration()}", "127.0.0.1:1", SiloStatus.Joining, "{}"), default);
        await member.SetStatusAsync(SiloStatus.Active, default);
        await member.Died;
        await watcher.DisposeAsync();
        await store.DisposeAsync();
    }

    static async Task<(RedisStore, MembershipWatcher)> OpenAsync(string redis, string cluster)
    {
        // Five processes that start at once on a small machine may not all be answered in the usual time.
        var options = new RedisOptions { Control = redis, Cluster = cluster, Timeout = TimeSpan.FromSeconds(10) };
        var store = await RedisStore.ConnectAsync(options, TimeProvider.System, NullLogger.Instance, default);
        var watcher = new MembershipWatcher(store.Membership, new MembershipOptions(), TimeProvider.System, NullLogger.Instance);
        await watcher.StartAsync(default);
        return (store, watcher);
    }

    static Process Start(string redis, string cluster, string name) => Process.Start(
        Environment.ProcessPath!, [typeof(DetectionBench).Assembly.Location, "detection", "beat", redis, cluster, name]);

    static async Task<MembershipView> UntilAsync(MembershipWatcher watcher, Func<MembershipView, bool> holds)
    {
        var view = watcher.View;
        while (!holds(view))
            view = await watcher.NextAsync(view, default);
        return view;
    }

    static void Print(string what, List<double> times)
    {
        times.Sort();
        if (times.Count > 0)
        {
            Console.WriteLine($"{what}: {times.Count} kills, p50 {times[times.Count / 2]:F0} ms, "
                + $"p99 {times[(int)((times.Count - 1) * 0.99)]:F0} ms, least {times[0]:F0} ms, most {times[^1]:F0} ms");
        }
    }
}
