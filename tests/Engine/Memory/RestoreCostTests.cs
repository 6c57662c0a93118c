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
}
