using Hearth.Engine.Memory;
using Xunit;

namespace Hearth.Engine.Tests.Memory;

public class RestoreCostTests
{
    [Fact]
    public void RestoringIsTheRuleUntilItIsMeasuredToBeSlower()
    {
        var cost = new RestoreCost();
        Assert.True(cost.IsWorth("a", 1, 1_000_000));
        cost.Prefilled(1000, TimeSpan.FromSeconds(1));
        Assert.True(cost.IsWorth("a", 1, 1_000_000));
        cost.Restored("a", 1_000_000, TimeSpan.FromSeconds(1));
        Assert.True(cost.IsWorth("a", 1000, 1_000_000));
        Assert.False(cost.IsWorth("a", 1000, 3_000_000));
        Assert.False(cost.IsWorth("a", 10, 15_000));
    }

    [Fact]
    public void SourcesAreMeasuredApart()
    {
        var cost = new RestoreCost();
        cost.Prefilled(1000, TimeSpan.FromSeconds(1));
        cost.Restored("a", 1_000, TimeSpan.FromSeconds(1));
        Assert.False(cost.IsWorth("a", 1000, 3_000_000));
        Assert.True(cost.IsWorth("b", 1000, 3_000_000));
        cost.Restored("b", 1_000_000, TimeSpan.FromSeconds(1));
        Assert.Equal(3.5, cost.Seconds("b", 3_000_000, 500), 6);
        Assert.True(cost.Seconds("a", 3_000_000, 0) > 1000);
    }

    [Fact]
    public void OneSlowReadIsNotTheLast()
    {
        var cost = new RestoreCost();
        cost.Prefilled(1000, TimeSpan.FromSeconds(1));
        cost.Restored("a", 1000, TimeSpan.FromSeconds(1));
        Assert.Equal(1, Enumerable.Range(0, Limits.RestoreTriedEvery).Count(_ => cost.IsWorth("a", 100, 1_000_000)));
        for (var reads = 0; reads < 20; reads++)
            cost.Restored("a", 1_000_000_000, TimeSpan.FromSeconds(1));
        Assert.True(cost.IsWorth("a", 100, 1_000_000));
    }
}
