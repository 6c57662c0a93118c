using System.Globalization;
using Hearth.Actors.Membership;
using Hearth.HistoryCheck;
using Hearth.Simulation.Tests.Cluster;
using Xunit;

// The process has one pool thread: two worlds on it would each wait for the other to leave the queue.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Hearth.Simulation.Tests;

/// <summary>The cluster's own code over simulated network, store, clocks and crashes: no seed may break a promise.</summary>
public sealed class SimulationTests
{
    const string SeedsVariable = "HEARTH_SIM_SEEDS";
    const int SeedsByDefault = 2000;
    const int SeedsWithHistories = 20;
    const int SabotagedSeeds = 300;

    /// <summary>Seeds that found a bug once, of the product or of the simulator.</summary>
    static readonly int[] _pastBadSeeds =
        [2, 3, 5, 6, 16, 33, 49, 60, 66, 84, 127, 128, 147, 154, 184, 312, 332, 587, 812, 824, 830, 948, 1020, 10079, 10222, 11229, 20288, 30772,
        66750, 66874];

    /// <summary>The same, of the checker.</summary>
    static readonly int[] _pastBadHistories = [30748, 60084, 60877, 62129, 62173, 62511, 62914, 64104];

    [Fact]
    public async Task NoSeedBreaksAPromise()
    {
        var seeds = int.Parse(Environment.GetEnvironmentVariable(SeedsVariable) ?? $"{SeedsByDefault}", CultureInfo.InvariantCulture);
        var parts = await new SeedRuns(1, seeds).SpreadAsync(Environment.ProcessorCount, TestContext.Current.CancellationToken);
        Assert.All(parts, part => Assert.True(part.IsSound, part.Said));
    }

    /// <summary>The checker of real runs, over what the simulated processes write down.</summary>
    [Fact]
    public async Task TheHistoriesOfRunsAreSound()
    {
        var verdicts = new List<Verdict>();
        foreach (var seed in Enumerable.Range(1, SeedsWithHistories).Concat(_pastBadHistories))
        {
            var result = await SimRun.RunAsync(seed, writesHistories: true);
            Assert.True(result.IsSound, result.Story);
            verdicts.AddRange(result.Verdicts);
        }
        foreach (var invariant in verdicts.GroupBy(v => v.Id))
            Assert.True(invariant.Sum(v => v.Checked) > 0, $"{invariant.Key} judged nothing");
    }

    [Fact]
    public async Task PastBadSeedsAreSoundNow()
    {
        foreach (var seed in _pastBadSeeds)
            await SoundAsync(seed);
    }

    [Theory, InlineData(1), InlineData(4), InlineData(128), InlineData(388)]
    public async Task TheSameSeedGivesTheSameRun(int seed)
    {
        var (first, second) = (await SimRun.RunAsync(seed), await SimRun.RunAsync(seed));
        Assert.Equal((first.LogHash, first.Steps, first.Time), (second.LogHash, second.Steps, second.Time));
        Assert.NotEqual(first.LogHash, (await SimRun.RunAsync(seed + 1)).LogHash);
    }

    [Fact]
    public async Task AStoreThatIgnoresFencesIsFoundOut() =>
        Assert.Contains("was accepted", await FindingAsync(cluster => cluster.Store.Memory.IgnoresFences = true), StringComparison.Ordinal);

    [Fact]
    public async Task SilosThatHoldTheirLeasesTooLongAreFoundOut() => Assert.Contains("which holds its lease", await FindingAsync(
        cluster => cluster.SiloMembership = new MembershipOptions { Lease = TimeSpan.FromSeconds(4) }), StringComparison.Ordinal);

    static async Task SoundAsync(int seed)
    {
        var result = await SimRun.RunAsync(seed);
        Assert.True(result.IsSound, $"Run `dotnet Hearth.Simulation.Tests.dll --seeds 1 --from {seed} --verbose`.\n{result.Story}");
    }

    /// <returns>What the first seeds find of something that was broken on purpose.</returns>
    static async Task<string> FindingAsync(Action<SimCluster> sabotage)
    {
        for (var seed = 1; seed <= SabotagedSeeds; seed++)
        {
            if (await SimRun.RunAsync(seed, sabotage: sabotage) is { IsSound: false } found)
                return found.Story;
        }
        throw new InvalidOperationException($"{SabotagedSeeds} seeds found nothing.");
    }
}
