using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Hearth.Gateway;

/// <summary>Prometheus' text format 0.0.4: names and labels made valid, values in the shortest form that reads back.</summary>
static class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    public static string Write(IReadOnlyList<MetricFamily> families, long dropped, string version)
    {
        var text = new StringBuilder();
        Header(text, "hearth_build_info", "The version that runs, as labels.", "gauge");
        text.Append(CultureInfo.InvariantCulture,
            $"hearth_build_info{{version=\"{Escape(version)}\",dotnet=\"{Environment.Version}\"}} 1\n");
        Header(text, "hearth_metrics_dropped_total", "Values not kept because their metric had too many label sets.", "counter");
        text.Append(CultureInfo.InvariantCulture, $"hearth_metrics_dropped_total {dropped}\n");
        string? before = null;
        foreach (var family in families)
        {
            var series = family.Snapshot();
            if (series.Count == 0)
            {
                continue;
            }
            if (family.Name != before)
            {
                Header(text, family.Name, family.Help, family.Kind switch
                {
                    MetricKind.Counter => "counter",
                    MetricKind.Histogram => "histogram",
                    _ => "gauge",
                });
            }
            before = family.Name;
            foreach (var (labels, values) in series)
            {
                if (family.Kind == MetricKind.Histogram)
                {
                    Histogram(text, family, labels, values);
                }
                else
                {
                    Line(text, family.Name, labels, values.Value);
                }
            }
        }
        return text.ToString();
    }

    /// <summary>The instrument's name with <c>hearth_</c> before it and its unit and <c>_total</c> after it.</summary>
    public static string Name(Instrument instrument, MetricKind kind)
    {
        var name = string.Concat(instrument.Name.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '_'));
        name = Prefixed(name);
        name = instrument.Unit switch
        {
            "s" => Suffixed(name, "_seconds"),
            "By" => Suffixed(name, "_bytes"),
            _ => name,
        };
        return kind == MetricKind.Counter ? Suffixed(name, "_total") : name;

        static string Prefixed(string name) => name.StartsWith("hearth_", StringComparison.Ordinal) ? name : "hearth_" + name;
        static string Suffixed(string name, string suffix) =>
            name.EndsWith(suffix, StringComparison.Ordinal) ? name : name + suffix;
    }

    /// <summary><c>a="x",b="y"</c>, sorted by name.</summary>
    public static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.IsEmpty)
        {
            return "";
        }
        var labels = new List<string>(tags.Length);
        foreach (var (name, value) in tags)
        {
            var valid = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
            var text = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
            labels.Add($"{(char.IsAsciiDigit(valid[0]) ? "_" : "")}{valid}=\"{Escape(text)}\"");
        }
        labels.Sort(StringComparer.Ordinal);
        return string.Join(',', labels);
    }

    static void Header(StringBuilder text, string name, string help, string type) => text
        .Append("# HELP ").Append(name).Append(' ')
        .Append(help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal))
        .Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');

    static void Histogram(StringBuilder text, MetricFamily family, string labels, MetricSnapshot values)
    {
        var separator = labels.Length > 0 ? "," : "";
        long below = 0;
        for (var i = 0; i < family.Buckets.Count; i++)
        {
            below += values.Counts[i];
            Line(text, family.Name + "_bucket", $"{labels}{separator}le=\"{Number(family.Buckets[i])}\"", below);
        }
        Line(text, family.Name + "_bucket", $"{labels}{separator}le=\"+Inf\"", values.Count);
        Line(text, family.Name + "_sum", labels, values.Value);
        Line(text, family.Name + "_count", labels, values.Count);
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

    static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    static string Escape(string value) => value
        .Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("\"", "\\\"", StringComparison.Ordinal)
        .Replace("\n", "\\n", StringComparison.Ordinal);
}
