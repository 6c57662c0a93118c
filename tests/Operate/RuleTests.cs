using System.Text.RegularExpressions;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Operate.Tests;

/// <summary>The rule files by Prometheus' own tool: valid, and each alert fires when it should and not before.</summary>
public sealed partial class RuleTests
{
    static readonly string s_tests = Path.Combine(HearthNode.Root, "tests", "Operate", "Rules");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TheRulesAreValid()
    {
        Programs.Need("promtool");
        var files = Directory.GetFiles(Prometheus.Alerts, "*.yaml");
        var (code, output) = await Programs.RunAsync("promtool", ["check", "rules", .. files]);
        Assert.True(code == 0, output);
    }

    [Fact]
    public async Task EachAlertFiresWhenItShould()
    {
        Programs.Need("promtool");
        var files = Directory.GetFiles(s_tests, "*.test.yaml");
        var (code, output) = await Programs.RunAsync("promtool", ["test", "rules", .. files]);
        Assert.True(code == 0, output);
    }

    /// <summary>A case lists all alerts that fire: so each one also stays silent in all the others.</summary>
    [Fact]
    public async Task EachAlertHasATest()
    {
        var tests = string.Concat(await Task.WhenAll(
            Directory.GetFiles(s_tests, "*.test.yaml").Select(f => File.ReadAllTextAsync(f, Cancellation))));
        var alerts = await AlertsAsync();
        Assert.NotEmpty(alerts);
        Assert.All(alerts, alert => Assert.Contains($"{{alertname=\"{alert}\"}}", tests, StringComparison.Ordinal));
    }

    internal static async Task<IReadOnlyList<string>> AlertsAsync() =>
    [
        .. Alert().Matches(string.Concat(await Task.WhenAll(Directory.GetFiles(Prometheus.Alerts, "*.yaml")
            .Select(f => File.ReadAllTextAsync(f, Cancellation))))).Select(m => m.Groups[1].Value),
    ];

    [GeneratedRegex(@"- alert: (\w+)")]
    private static partial Regex Alert();
}
