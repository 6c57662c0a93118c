using Hearth.HistoryCheck;
using Hearth.Simulation.Tests.World;

namespace Hearth.Simulation.Tests.Cluster;

/// <summary>What one seed gave.</summary>
/// <param name="Story">Seed, violations and last events; for people, when something is wrong.</param>
sealed record SimResult(int Seed, bool IsSound, int Faults, int Turns, ulong LogHash, long Steps, TimeSpan Time,
    IReadOnlyDictionary<string, int> Counts, IReadOnlyList<Verdict> Verdicts, string Story);

/// <summary>One run of a seed: a cluster, clients that talk, faults; then no more faults, and everything must come together.</summary>
static class SimRun
{
    /// <summary>One seed of so many has a store that loses its last writes when it restarts.</summary>
    const int RollBackEvery = 4;

    static readonly TimeSpan _settle = TimeSpan.FromMinutes(4);
    static readonly TimeSpan _unclaimed = TimeSpan.FromSeconds(45);

    /// <param name="sabotage">Breaks something that the checks must find.</param>
    /// <param name="writesHistories">Has the checker of real runs judge this one too.</param>
    public static async Task<SimResult> RunAsync(
        int seed, bool verbose = false, Action<SimCluster>? sabotage = null, bool writesHistories = false)
    {
        var world = new SimWorld(seed);
        var cluster = new SimCluster(world, verbose);
        cluster.Histories = writesHistories ? new SimHistories(cluster) : null;
        sabotage?.Invoke(cluster);
        var random = world.Random;
        for (var i = random.Next(2, 5); i > 0; i--)
            cluster.StartSilo($"silo-{i}");
        for (var i = random.Next(1, 4); i > 0; i--)
            cluster.StartGateway($"gateway-{i}");
        var conversations = Enumerable.Range(1, random.Next(1, 5)).Select(i => $"c{i}").ToArray();
        var clients = conversations.SelectMany(c => Enumerable.Range(1, random.Next(4) == 0 ? 2 : 1)
            .Select(i => new SimClient(cluster, c, $"{c}-client-{i}", random.Next(2, 6)))).ToArray();
        var checks = new SimChecks(cluster, clients);
        var faults = new SimFaults(cluster, checks, conversations, rollsBack: seed % RollBackEvery == 0)
        {
            RunningTurn = c => clients.Where(client => client.Conversation == c).Select(client => client.Current).FirstOrDefault(t => t is not null),
        };
        var trouble = world.Between(5, 20);
        faults.Schedule(random.Next(2, 16), trouble);

        await world.RunAsync(() => world.Now >= trouble, trouble + TimeSpan.FromSeconds(1));
        cluster.Heal();
        world.At(TimeSpan.FromSeconds(4), () => Reinforce(cluster));
        if (world.Violations.Count == 0 && !await world.RunAsync(() => clients.All(c => c.IsIdle), _settle))
            checks.Stuck("turns are not over");
        foreach (var client in clients)
        {
            client.LeavesChance = 0;
            client.Add($"{client.Name}-last");
            client.Process.Do(client.Next);
        }
        if (world.Violations.Count == 0 && !await world.RunAsync(() => clients.All(c => c.IsIdle), _settle))
            checks.Stuck("the last turns are not over");
        // A turn that nobody asks for any more has its end after half a minute.
        if (writesHistories)
            await world.RunAsync(() => false, _unclaimed);
        if (world.Violations.Count == 0)
            await checks.AtEndAsync();
        var verdicts = cluster.Histories is { } histories ? await histories.JudgeAsync() : [];
        foreach (var wrong in verdicts.SelectMany(v => v.Violations.Select(text => $"{v.Id}: {text}")))
            world.Violate(wrong);
        cluster.Dispose();
        return new SimResult(seed, world.Violations.Count == 0, faults.Count, clients.Sum(c => c.Turns.Count), world.LogHash,
            world.Steps, world.Now, checks.Counts, verdicts, $"{string.Join('\n', world.Violations)}\n\n{world}");
    }

    /// <summary>At the end of the trouble there is somebody again.</summary>
    static void Reinforce(SimCluster cluster)
    {
        if (!cluster.LiveSilos.Any())
            cluster.StartSilo("silo-1");
        if (!cluster.LiveGateways.Any())
            cluster.StartGateway("gateway-1");
    }
}
