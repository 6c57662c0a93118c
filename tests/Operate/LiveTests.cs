using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Operate.Tests;

/// <summary>Dashboards and alerts against a cluster that runs, through a Prometheus that scrapes it: no name in them may be one
/// that no process exposes.</summary>
public sealed partial class LiveTests(LiveCluster cluster, ITestOutputHelper output) : IClassFixture<LiveCluster>
{
    static readonly HashSet<string> s_ofPrometheus = ["up", "ALERTS"];

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task EveryPanelShowsAValue()
    {
        await cluster.StartedAsync();
        var table = new StringBuilder("| dashboard | panel | value |\n| --- | --- | --- |\n");
        var empty = new List<string>();
        foreach (var panel in Dashboard.All.SelectMany(d => d.Queries).GroupBy(q => (q.Dashboard, q.Panel)))
        {
            var shown = new List<string>();
            foreach (var query in panel)
            {
                var samples = await cluster.Prometheus.QueryAsync(query.Expression, Cancellation);
                if (!query.IsAnnotation && !samples.Any(s => double.IsFinite(s.Value)))
                    empty.Add($"{query.Label}: {query.Expression}");
                shown.Add(Show(query, samples));
            }
            table.Append(CultureInfo.InvariantCulture,
                $"| {panel.Key.Dashboard} | {panel.Key.Panel} | {string.Join("; ", shown)} |\n");
        }
        output.WriteLine(table.ToString());
        await File.WriteAllTextAsync(Path.Combine(
            Directory.CreateDirectory(Path.Combine(HearthNode.Root, "artifacts", "test-results")).FullName, "dashboards.md"),
            table.ToString(), Cancellation);
        Assert.Empty(empty);
    }

    [Fact]
    public async Task EveryMetricAndLabelThatIsAskedForIsExposed()
    {
        await cluster.StartedAsync();
        var exposed = (await cluster.Prometheus.SeriesAsync(Cancellation))
            .GroupBy(s => s["__name__"]).ToDictionary(g => g.Key, g => g.ToList());
        var metrics = await File.ReadAllTextAsync(Path.Combine(HearthNode.Root, "docs", "operate", "metrics.md"), Cancellation);
        var rules = (await cluster.Prometheus.RulesAsync(Cancellation)).Select(r => (r.Name, Expression: r.Query));
        var faults = new List<string>();
        foreach (var (where, text) in Dashboard.All.SelectMany(d => d.Queries).Select(q => (q.Label, q.Expression)).Concat(rules))
        {
            var expression = Expression.Parse(text);
            Assert.NotEmpty(expression.Selectors);
            foreach (var selector in expression.Selectors.Where(s => !s_ofPrometheus.Contains(s.Metric)))
            {
                if (!exposed.TryGetValue(selector.Metric, out var series))
                {
                    faults.Add($"{where}: nothing exposes {selector.Metric}");
                    continue;
                }
                faults.AddRange(selector.Matchers.Where(m => !series.Any(s => s.ContainsKey(m.Label)))
                    .Select(m => $"{where}: {selector.Metric} has no label {m.Label}"));
                faults.AddRange(selector.Matchers.Where(m => m.Value != ".*")
                    .SelectMany(m => m.Value.Split('|').Select(value => (m.Label, Value: value)))
                    .Where(m => !series.Any(s => s.GetValueOrDefault(m.Label) == m.Value)
                        && !Regex.IsMatch(metrics, $@"\b{Regex.Escape(m.Value)}\b"))
                    .Select(m => $"{where}: {selector.Metric} has never {m.Label}=\"{m.Value}\""));
            }
            var there = expression.Selectors.SelectMany(s => exposed.GetValueOrDefault(s.Metric, [])).ToList();
            faults.AddRange(expression.Grouping.Where(label => !there.Any(s => s.ContainsKey(label)))
                .Select(label => $"{where}: nothing there has the label {label}"));
        }
        Assert.Empty(faults.Distinct());
    }

    [Fact]
    public async Task EveryRuleIsEvaluatedAndOnlyTheKilledSiloRaisesAnAlert()
    {
        await cluster.StartedAsync();
        var rules = await cluster.Prometheus.RulesAsync(Cancellation);
        Assert.Empty(rules.Where(r => r.Health != "ok" || r.Error.Length > 0).Select(r => $"{r.Name}: {r.Error}"));
        // A machine that stalls for a second tells the truth about it.
        Assert.Empty(cluster.FalseAlarms.Except(["HearthLeaseLapsed"]));
        await ClusterRig.UntilAsync(
            async () => (await cluster.FiringAsync()).Contains("HearthSiloDeclaredDead"), "the alert", Cancellation);
        Assert.Empty((await cluster.FiringAsync()).Except(
            ["HearthSiloDeclaredDead", "HearthTakeovers", "HearthPeerFaults", "HearthProcessDown", "HearthLeaseLapsed"]));
    }

    /// <summary>Whoever restarts silos one after the other waits for this, and then takes the next one away.</summary>
    [Fact]
    public async Task ASiloThatIsReadyIsSeenByEveryGateway()
    {
        await cluster.StartedAsync();
        var url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Prometheus.FreePort()}");
        await using var silo = HearthNode.Start("late",
            ["silo", "--redis", cluster.Rig.RedisAddress, "--name", "late", "--urls", url, "--kv-memory", "16m"]);
        using var http = new HttpClient { BaseAddress = new Uri(url) };
        await ClusterRig.UntilAsync(async () => await IsReadyAsync(http), "a ready silo", Cancellation);
        for (var gateway = 0; gateway < cluster.Rig.Gateways.Count; gateway++)
        {
            var seen = await cluster.Rig.SilosSeenAsync(Cancellation, gateway);
            Assert.Equal("active", seen.Single(s => s.Name == "late").Status);
        }
    }

    static async Task<bool> IsReadyAsync(HttpClient http)
    {
        try
        {
            using var response = await http.GetAsync("health/ready", Cancellation);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    static string Show(Query query, IReadOnlyList<Sample> samples)
    {
        var shown = samples.OrderByDescending(s => s.Value)
            .Select(s => $"{Legend(query, s)}{Value(s.Value, query.Unit)}".TrimStart()).ToList();
        return shown.Count == 0 ? "none" : string.Join("; ", shown.Take(4)) + (shown.Count > 4 ? $"; … {shown.Count}" : "");
    }

    static string Legend(Query query, Sample sample)
    {
        var legend = Variable().Replace(
            query.Legend, m => m.Groups[1].Value == "instance" ? "" : sample.Labels.GetValueOrDefault(m.Groups[1].Value, ""));
        legend = legend.Length > 0 || query.Legend.Length > 0 ? legend : sample.Labels.GetValueOrDefault("silo", "");
        return legend.Trim() is { Length: > 0 } text ? $"{text} = " : "";
    }

    static string Value(double value, string unit)
    {
        var (scaled, suffix) = unit switch
        {
            "s" when value < 1 => (value * 1000, " ms"),
            "s" => (value, " s"),
            "percentunit" => (value * 100, " %"),
            "bytes" => (value / (1 << 20), " MiB"),
            "Bps" => (value / (1 << 10), " KiB/s"),
            _ => (value, ""),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{scaled:0.###}{suffix}");
    }

    [GeneratedRegex(@"\{\{(\w+)\}\}")]
    private static partial Regex Variable();
}
