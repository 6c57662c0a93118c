using Hearth.Engine.Memory;
using Xunit;

namespace Hearth.Engine.Tests.Memory;

public class RestoreCostTests
{
    [Fact]
    public void RestoringIsTheRuleUntilItIsMeasuredToBeSlower()
    {
        var cost = new RestoreCost();
        Assert.True(cost.IsWorth(1, 1_000_000));
        cost.Prefilled(1000, TimeSpan.FromSeconds(1));
        Assert.True(cost.IsWorth(1, 1_000_000));
        cost.Restored(1_000_000, TimeSpan.FromSeconds(1));
        Assert.True(cost.IsWorth(1000, 1_000_000));
        Assert.False(cost.IsWorth(1000, 3_000_000));
        Assert.False(cost.IsWorth(10, 15_000));
    }

    [Fact]
    public void OneSlowReadIsNotTheLast()
    {
        var cost = new RestoreCost();
        cost.Prefilled(1000, TimeSpan.FromSeconds(1));
        cost.Restored(1000, TimeSpan.FromSeconds(1));
        Assert.Equal(1, Enumerable.Range(0, Limits.RestoreTriedEvery).Count(_ => cost.IsWorth(100, 1_000_000)));
        for (var reads = 0; reads < 20; reads++)
            cost.Restored(1_000_000_000, TimeSpan.FromSeconds(1));
        Assert.True(cost.IsWorth(100, 1_000_000));
    }
}
