using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>Renders that are kept in git: whoever changes the chart sees in the diff what it does to a cluster.
/// <c>tests/Chart/update.sh</c> writes them anew.</summary>
public sealed class GoldenTests
{
    [Theory]
    [InlineData("02-cpu-demo")]
    [InlineData("03-gpu-claim")]
    [InlineData("05-model-copied")]
    [InlineData("10-spill-redis")]
    [InlineData("13-keda")]
    [InlineData("17-route")]
    public async Task TheRenderIsWhatWasReviewed(string name) =>
        await SameAsync((await ChartCase.Of(name).RenderAsync()).Text, Path.Combine(Tools.Here, "golden", $"{name}.yaml"));

    [Fact]
    public async Task AChangedValueShowsInTheDiff()
    {
        var golden = Path.Combine(Tools.Here, "golden", "02-cpu-demo.yaml");
        var text = (await ChartCase.Of("02-cpu-demo").RenderAsync()).Text;
        var diff = await DiffAsync(golden, text.Replace("--drain-budget=60s", "--drain-budget=90s", StringComparison.Ordinal));
        Assert.Contains("-            - --drain-budget=60s", diff, StringComparison.Ordinal);
        Assert.Contains("+            - --drain-budget=90s", diff, StringComparison.Ordinal);
    }

    /// <summary>Compares with the file, or writes it where that is asked for.</summary>
    internal static async Task SameAsync(string text, string path)
    {
        if (Tools.Updates)
            await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);
        var diff = await DiffAsync(path, text);
        Assert.True(diff.Length == 0, $"Review this, then run tests/Chart/update.sh:\n{diff}");
    }

    static async Task<string> DiffAsync(string path, string text)
    {
        var cancellation = TestContext.Current.CancellationToken;
        if (File.Exists(path) && await File.ReadAllTextAsync(path, cancellation) == text)
            return "";
        return (await Tools.RunAsync("diff", ["-U2", path, "-"], text)).Output is { Length: > 0 } diff ? diff
            : $"{path} is not there";
    }
}
