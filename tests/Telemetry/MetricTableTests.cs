using System.Runtime.CompilerServices;
using Hearth.Gateway;
using Xunit;

namespace Hearth.Telemetry.Tests;

public sealed class MetricTableTests
{
    static readonly MetricTable s_table = new();

    [Fact]
    public void ThePageOfMetricsIsWhatTheCodeHas()
    {
        var path = Path.Combine(Root(), "docs", "operate", "metrics.md");
        if (Environment.GetEnvironmentVariable("HEARTH_WRITE_DOCS") == "1")
        {
            File.WriteAllText(path, s_table.Page());
        }
        Assert.Equal(s_table.Page(), File.ReadAllText(path), ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void NamesAreWhatPrometheusAdvises()
    {
        foreach (var family in s_table.Families)
        {
            Assert.Matches("^(vllm:|hearth_|gen_ai_|dotnet_|process_)[a-z0-9_]*[a-z0-9]$", family.Name);
            Assert.Equal(family.Kind == MetricKind.Counter, family.Name.EndsWith("_total", StringComparison.Ordinal));
            Assert.DoesNotMatch("_(milliseconds|ms|kb|mb|percent)(_|$)", family.Name);
            Assert.True(family.Kind != MetricKind.Histogram || family.Buckets.SequenceEqual(family.Buckets.Order().Distinct()), family.Name);
            Assert.False(string.IsNullOrEmpty(family.Instrument.Description), family.Name);
            // In OpenMetrics a counter's family has no _total: no other family may be called so.
            Assert.True(family.Kind != MetricKind.Counter
                || s_table.Families.All(f => f.Name != family.Name[..^"_total".Length]), family.Name);
        }
    }

    /// <summary>Who names a tenant, a key or a conversation in a label tells the monitoring, and makes it grow without end.</summary>
    [Fact]
    public void LabelsHaveFewKnownValues()
    {
        string[] open = ["model_name", "gen_ai_request_model"];
        foreach (var family in s_table.Families.Where(f => !f.Name.EndsWith("_info", StringComparison.Ordinal)))
        {
            Assert.All(family.ConstantLabels, label => Assert.Equal("model_name", label));
            Assert.All(family.Labels, label => Assert.True(
                label.Values is not null || open.Contains(PrometheusText.LabelName(label.Name)), $"{family.Name} {label.Name}"));
            var sets = family.Labels.Aggregate(1L, (n, label) => n * (label.Values?.Count ?? 1));
            Assert.True(sets <= 1000, $"{family.Name} has {sets} label sets");
        }
    }

    static string Root([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", ".."));
}
