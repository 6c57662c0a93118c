using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Hearth.Gateway;

/// <summary>Prometheus' text format 0.0.4 and OpenMetrics 1.0, which differ in little: the names of counter families, units, how
/// a bound is written, and the end.</summary>
static class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";
    public const string OpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    static readonly (string Prefix, string Shown)[] s_prefixes =
        [("hearth_", "hearth_"), ("vllm_", "vllm:"), ("gen_ai_", "gen_ai_"), ("dotnet_", "dotnet_"), ("process_", "process_")];

    public static string Write(IReadOnlyList<MetricGroup> groups, bool openMetrics)
    {
        var text = new StringBuilder();
        foreach (var (family, series) in groups.Where(g => g.Series.Count > 0))
        {
            Header(text, family, openMetrics);
            foreach (var values in series)
            {
                if (family.Kind == MetricKind.Histogram)
                {
                    Histogram(text, family, values, openMetrics);
                }
                else
                {
                    Line(text, family.Name, values.Labels, values.Value);
                }
            }
        }
        return (openMetrics ? text.Append("# EOF\n") : text).ToString();
    }

    /// <summary>The instrument's name with its unit and <c>_total</c> after it; <c>hearth_</c> before it if it is of no namespace
    /// that is known.</summary>
    public static string Name(Instrument instrument, MetricKind kind)
    {
        var name = string.Concat(instrument.Name.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '_'));
        name = Array.Find(s_prefixes, p => name.StartsWith(p.Prefix, StringComparison.Ordinal)) is (string prefix, string shown)
            ? shown + name[prefix.Length..] : "hearth_" + name;
        name = Suffixed(name, UnitOf(instrument) is { } unit ? "_" + unit : "");
        return Suffixed(name, kind == MetricKind.Counter ? "_total" : "");

        static string Suffixed(string name, string suffix) =>
            name.EndsWith(suffix, StringComparison.Ordinal) ? name : name + suffix;
    }

    /// <summary><c>a="x",b="y"</c>, sorted by name.</summary>
    public static string Labels(
        ReadOnlySpan<KeyValuePair<string, object?>> constant, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in (ReadOnlySpan<KeyValuePair<string, object?>>)[.. constant, .. tags])
        {
            labels[LabelName(name)] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        }
        return string.Join(',', labels.Select(l => $"{l.Key}=\"{Escape(l.Value)}\""));
    }

    public static string LabelName(string name)
    {
        var valid = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return valid is "" || char.IsAsciiDigit(valid[0]) ? "_" + valid : valid;
    }

    /// <summary>The base unit that stands in the name; null for counts.</summary>
    public static string? UnitOf(Instrument instrument) => instrument.Unit switch
    {
        "s" => "seconds",
        "By" => "bytes",
        _ => null,
    };

    static void Header(StringBuilder text, MetricFamily family, bool openMetrics)
    {
        var name = openMetrics && family.Kind == MetricKind.Counter ? family.Name[..^"_total".Length] : family.Name;
        text.Append("# HELP ").Append(name).Append(' ').Append(openMetrics ? Escape(family.Help) : EscapeHelp(family.Help))
            .Append("\n# TYPE ").Append(name).Append(family.Kind switch
            {
                MetricKind.Counter => " counter\n",
                MetricKind.Histogram => " histogram\n",
                _ => " gauge\n",
            });
        if (openMetrics && UnitOf(family.Instrument) is { } unit)
        {
            text.Append("# UNIT ").Append(name).Append(' ').Append(unit).Append('\n');
        }
    }

    static void Histogram(StringBuilder text, MetricFamily family, MetricSnapshot values, bool openMetrics)
    {
        var before = values.Labels.Length > 0 ? values.Labels + "," : "";
        long below = 0;
        for (var i = 0; i < values.Counts.Count; i++)
        {
            below += values.Counts[i];
            var bound = i == family.Buckets.Length ? "+Inf" : Bound(family.Buckets[i], openMetrics);
            Line(text, family.Name + "_bucket", $"{before}le=\"{bound}\"", below);
        }
        Line(text, family.Name + "_sum", values.Labels, values.Value);
        Line(text, family.Name + "_count", values.Labels, below);
    }

    static void Line(StringBuilder text, string name, string labels, double value)
    {
        text.Append(name);
        if (labels.Length > 0)
        {
            text.Append('{').Append(labels).Append('}');
        }
        text.Append(' ').Append(Number(value)).Append('\n');
    }

    /// <summary>OpenMetrics wants bounds that are floats to the eye.</summary>
    static string Bound(double bound, bool openMetrics)
    {
        var text = Number(bound);
        return openMetrics && !text.AsSpan().ContainsAny('.', 'e') ? text + ".0" : text;
    }

    /// <summary>The shortest form that reads back.</summary>
    static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e'),
    };

    static string Escape(string value) => EscapeHelp(value).Replace("\"", "\\\"", StringComparison.Ordinal);

    static string EscapeHelp(string value) => value
        .Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("\n", "\\n", StringComparison.Ordinal);
}
