using Xunit;

namespace Hearth.Simulation.Tests.World;

/// <summary>A world that gets nowhere ends and says so: it never spins.</summary>
public sealed class NoProgressTests
{
    static readonly TimeSpan _limit = TimeSpan.FromHours(1);

    [Fact]
    public async Task AProcessThatNeverWaitsIsNamed()
    {
        var world = new SimWorld(1);
        new SimProcess(world, "busy").Start("work", async () =>
        {
            while (world.Violations.Count == 0)
                await Task.Yield();
        });
        Assert.False(await world.RunAsync(() => false, _limit));
        Assert.Contains("steps took no time, the last one of busy", Assert.Single(world.Violations), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AProcessWhoseWaitsComeToNothingIsNamed()
    {
        var world = new SimWorld(1);
        var process = new SimProcess(world, "hasty");
        process.Start("work", async () =>
        {
            while (world.Violations.Count == 0)
                await Task.Delay(TimeSpan.FromMilliseconds(1), process.Time, CancellationToken.None);
        });
        Assert.False(await world.RunAsync(() => false, _limit));
        Assert.Contains("steps led nowhere", Assert.Single(world.Violations), StringComparison.Ordinal);
    }

    /// <summary>Two worlds at once in a process: each waits for the other to leave the one thread's queue.</summary>
    [Fact]
    public async Task AWorldThatIsNotAloneOnThePoolSaysSo()
    {
        var (one, other) = (new SimWorld(1), new SimWorld(2));
        await Task.WhenAll(one.RunAsync(() => false, _limit), other.RunAsync(() => false, _limit));
        Assert.Contains("stay in the pool's queue", Assert.Single(one.Violations), StringComparison.Ordinal);
    }
}
