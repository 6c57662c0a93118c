using System.Runtime.CompilerServices;
using Hearth.Cluster.Bench;
using Hearth.Tests.Shared;
using Xunit;

namespace Hearth.Silo.Tests;

public sealed class MovesTests
{
    /// <summary>INV-17 with real parts: two engines, Redis, TCP. <c>bench/Cluster</c> has the long form.</summary>
    [Fact]
    public async Task RepliesThatMoveAtAnyMomentAreTheSameAndLeaveNothingBehind()
    {
        using var redis = RedisServer.Start();
        await using var silos = await TwoSilos.StartAsync(
            redis.Address, DemoModel(), blocks: 2000, TestContext.Current.CancellationToken);
        var tally = await MoveTalks.RunAsync(silos, moves: 60, histories: [0], TestContext.Current.CancellationToken);
        Assert.Empty(tally.Differences);
        Assert.Equal(Enum.GetValues<Moment>(), tally.Moments.Keys.Order());
        Assert.True(tally.Moves >= 60, string.Join("; ", tally.Refusals.Keys));
    }

    static string DemoModel([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", "models", "demo"));
}
