using System.Globalization;

namespace Hearth.Cli.Top;

/// <summary>Prometheus' text format, as far as one reader of our own pages needs it.</summary>
sealed class MetricsText
{
    readonly Dictionary<string, List<(string Labels, double Value)>> _series = [];

    /// <summary>Lines that are none are left out.</summary>
    public MetricsText(string text)
    {
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (line.IsEmpty || line[0] == '#')
                continue;
            var brace = line.IndexOf('{');
            var end = brace < 0 ? line.IndexOf(' ') : line.LastIndexOf('}') + 1;
            if (end <= 0)
                continue;
            // After the value there may be a time.
            var number = line[end..].TrimStart();
            var blank = number.IndexOf(' ');
            number = blank < 0 ? number : number[..blank];
            if (!double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
                continue;
            var name = line[..(brace < 0 ? end : brace)].ToString();
            if (!_series.TryGetValue(name, out var list))
                _series[name] = list = [];
            list.Add((brace < 0 ? "" : line[(brace + 1)..(end - 1)].ToString(), value));
        }
    }

    /// <summary>Over all labels, or over the series that have this one.</summary>
    /// <param name="label">As it is written: <c>outcome="ok"</c>.</param>
    public double Sum(string name, string? label = null) => !_series.TryGetValue(name, out var list) ? 0
        : list.Where(s => label is null || s.Labels.Contains(label, StringComparison.Ordinal)).Sum(s => s.Value);

    /// <summary>Values up to each upper bound of a histogram, over all other labels, by the bound.</summary>
    public SortedDictionary<double, double> Buckets(string name)
    {
        var buckets = new SortedDictionary<double, double>();
        foreach (var (labels, value) in _series.GetValueOrDefault(name + "_bucket") ?? [])
        {
            var at = labels.IndexOf("le=\"", StringComparison.Ordinal);
            var text = at < 0 ? "" : labels[(at + 4)..labels.IndexOf('"', at + 4)];
            var bound = text == "+Inf" ? double.PositiveInfinity : double.Parse(text, CultureInfo.InvariantCulture);
            buckets[bound] = buckets.GetValueOrDefault(bound) + value;
        }
        return buckets;
    }
}
