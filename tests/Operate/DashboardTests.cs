using System.Text.Json.Nodes;
using Xunit;

namespace Hearth.Operate.Tests;

/// <summary>What a dashboard needs to be of use: words, units and a place for each panel.</summary>
public sealed class DashboardTests
{
    static readonly HashSet<string> s_units = ["none", "s", "percentunit", "bytes", "Bps", "ops", "reqps"];

    public static TheoryData<string> Files => [.. Dashboard.All.Select(d => d.File)];

    [Theory]
    [MemberData(nameof(Files))]
    public void EveryPanelHasATitleAWordAUnitAndThresholds(string file)
    {
        var dashboard = Dashboard.All.Single(d => d.File == file);
        Assert.InRange(dashboard.Json["schemaVersion"]!.GetValue<int>(), 36, 41);
        Assert.StartsWith("hearth-", Dashboard.Text(dashboard.Json["uid"]), StringComparison.Ordinal);
        Assert.NotEmpty(Dashboard.Text(dashboard.Json["description"]));
        Assert.Equal(["datasource", "namespace", "model"],
            dashboard.Json["templating"]!["list"]!.AsArray().Select(v => Dashboard.Text(v!["name"])));
        var panels = dashboard.Panels.Where(p => Dashboard.Text(p["type"]) != "row").ToList();
        Assert.All(panels, panel =>
        {
            Assert.NotEmpty(Dashboard.Text(panel["title"]));
            Assert.True(Dashboard.Text(panel["description"]).Length > 10, $"{panel["title"]}: what does it show?");
            var defaults = panel["fieldConfig"]!["defaults"]!;
            Assert.Contains(Dashboard.Text(defaults["unit"]), s_units);
            Assert.NotEmpty(defaults["thresholds"]!["steps"]!.AsArray());
            Assert.NotEmpty(panel["targets"]!.AsArray());
            Assert.All(panel["targets"]!.AsArray(), t => Assert.Equal("${datasource}", Dashboard.Text(t!["datasource"]!["uid"])));
        });
        Assert.Distinct(dashboard.Panels.Select(p => p["id"]!.GetValue<int>()));
        Assert.Distinct(panels.Select(p => Dashboard.Text(p["title"])));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void NoPanelLiesOnAnother(string file)
    {
        var taken = new HashSet<(int X, int Y)>();
        foreach (var panel in Dashboard.All.Single(d => d.File == file).Panels)
        {
            var (x, y, w, h) = (At(panel, "x"), At(panel, "y"), At(panel, "w"), At(panel, "h"));
            Assert.InRange(x + w, 1, 24);
            for (var i = 0; i < w * h; i++)
                Assert.True(taken.Add((x + (i % w), y + (i / w))), $"{panel["title"]} lies on another panel");
        }
    }

    [Theory]
    [InlineData("sum by (le, pod) (rate(vllm:a_bucket{x=~\"1|2\", y!=\"}\"}[5m])) / on (x) group_left () b",
        "vllm:a_bucket(x,y) b()", "le,pod,x")]
    [InlineData("up == 0 and on (job, instance) last_over_time(c[6h:1m]) or vector(0)", "up() c()", "job,instance")]
    [InlineData("quantile_over_time(0.2, m[5m]) < 0.5 * 1e3 unless sum(n{a=\"m\"}) by (k) > time()", "m() n(a)", "k")]
    public void NamesAreFoundInExpressions(string text, string selectors, string grouping)
    {
        var expression = Expression.Parse(text);
        Assert.Equal(selectors, string.Join(' ', expression.Selectors.Select(
            s => $"{s.Metric}({string.Join(',', s.Matchers.Select(m => m.Label))})")));
        Assert.Equal(grouping, string.Join(',', expression.Grouping));
    }

    static int At(JsonNode panel, string name) => panel["gridPos"]![name]!.GetValue<int>();
}
