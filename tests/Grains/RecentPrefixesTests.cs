using Hearth.Grains.Prompts;
using Xunit;

namespace Hearth.Grains.Tests;

public sealed class RecentPrefixesTests
{
    [Fact]
    public void TheNewestComeFirstOnceEachAndNotTooMany()
    {
        var recent = new RecentPrefixes();
        foreach (var key in new ulong[] { 1, 2, 0, 3, 1 })
            recent.Saw(key);
        Assert.Equal([1, 3, 2], recent.Newest);
        for (var key = 10ul; key < 100; key++)
            recent.Saw(key);
        Assert.Equal(Limits.PrefixesTold, recent.Newest.Count);
        Assert.Equal(99ul, recent.Newest[0]);
    }
}
