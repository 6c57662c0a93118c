using Xunit;

namespace Hearth.Kernels.Tests;

public class RoutingTests
{
    /// <summary>Against sorting in doubles, over random scores.</summary>
    [Theory]
    [InlineData(8, 2, false, true, 1, 1)]
    [InlineData(8, 3, false, false, 1, 1)]
    [InlineData(16, 4, true, true, 4, 2)]
    [InlineData(12, 5, true, false, 3, 3)]
    public void TheBestExpertsAreChosenAndWeighed(int experts, int chosen, bool sigmoid, bool normalize, int groups, int kept)
    {
        const int Rows = 50;
        using var context = TestData.Context("512");
        var shape = new RoutingShape(experts, chosen, sigmoid, normalize, Scale: 2.5f, groups, kept);
        var (scores, weights) = (TestData.Normal(1, Rows * experts), new float[Rows * experts]);
        float[] given = sigmoid ? [.. TestData.Normal(2, experts).Select(Math.Abs)] : [];
        Routing.Choose(context, shape, scores.ToArray(), given, weights);
        for (var row = 0; row < Rows; row++)
        {
            var expected = Expected(shape, scores.AsSpan(row * experts, experts), given);
            for (var expert = 0; expert < experts; expert++)
            {
                Assert.Equal(expected[expert], weights[row * experts + expert], 1e-6);
            }
        }
    }

    [Fact]
    public void RowsGoToTheirExpertAndComeBackWeighed()
    {
        using var context = TestData.Context("512");
        float[] weights = [0.5f, -1, 0, -1, -1, 2], source = [1, 2, 3, 4, 5, 6];
        var (taken, target) = (new float[6], new float[6]);
        Assert.Equal(2, ExpertRows.Gather(context, source, weights, 0, 2, taken));
        Assert.Equal([1, 2, 3, 4], taken[..4]);
        ExpertRows.Scatter(context, taken, weights, 0, 2, target);
        Assert.Equal([0.5f, 1, 0, 0, 0, 0], target);
        Assert.Equal(1, ExpertRows.Gather(context, source, weights, 1, 2, taken));
        ExpertRows.Scatter(context, taken, weights, 1, 2, target);
        Assert.Equal([0.5f, 1, 0, 0, 10, 12], target);
        GatedAdd.Compute(context, source, [0, 0, 100], 2, target);
        Assert.Equal([1.5f, 3, 3, 4, 20, 24], target);
    }

    static double[] Expected(RoutingShape shape, ReadOnlySpan<float> scores, float[] corrections)
    {
        var raw = scores.ToArray().Select(s => (double)s).ToArray();
        var sum = raw.Sum(Math.Exp);
        var weights = raw.Select(s => shape.Sigmoid ? 1 / (1 + Math.Exp(-s)) : Math.Exp(s) / sum).ToArray();
        var choice = weights.Select((w, i) => w + (corrections.Length > 0 ? corrections[i] : 0)).ToArray();
        var size = shape.Experts / shape.Groups;
        var best = Enumerable.Range(0, shape.Groups)
            .OrderByDescending(g => choice.Skip(g * size).Take(size).OrderDescending().Take(2).Sum()).Take(shape.GroupsChosen);
        var chosen = Enumerable.Range(0, shape.Experts).Where(e => best.Contains(e / size))
            .OrderByDescending(e => choice[e]).Take(shape.Chosen).ToHashSet();
        var total = shape.Normalize ? chosen.Sum(e => weights[e]) : 1;
        return [.. weights.Select((w, e) => chosen.Contains(e) ? w / total * shape.Scale : -1)];
    }
}
