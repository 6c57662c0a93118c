using System.Diagnostics.Metrics;
using System.Globalization;

namespace Hearth.Gateway;

enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>The values of one instrument, by its labels. Thread-safe; what comes with the labels that the instrument
/// declared allocates nothing.</summary>
sealed class MetricFamily
{
    readonly Lock _gate = new();
    readonly Dictionary<string, MetricSeries> _series = new(StringComparer.Ordinal);
    readonly KeyValuePair<string, object?>[] _constant;
    readonly MetricSeries?[] _closed;
    readonly bool _absolute;

    public MetricFamily(Instrument instrument)
    {
        var type = instrument.GetType().GetGenericTypeDefinition();
        Kind = type == typeof(Histogram<>) ? MetricKind.Histogram
            : (type == typeof(Counter<>) || type == typeof(ObservableCounter<>)) && !MetricLabel.IsLevel(instrument)
                ? MetricKind.Counter : MetricKind.Gauge;
        (Instrument, Name) = (instrument, PrometheusText.Name(instrument, Kind));
        Buckets = Kind == MetricKind.Histogram ? BucketsOf(instrument) : [];
        Labels = MetricLabel.Of(instrument);
        _absolute = instrument.IsObservable || type == typeof(Gauge<>);
        _constant = [.. instrument.Meter.Tags ?? []];
        var sets = Labels.Aggregate(1L, (sets, label) => Math.Min(sets * (label.Values?.Count ?? 0), Limits.SeriesMax + 1));
        _closed = sets <= Limits.SeriesMax ? new MetricSeries?[sets] : [];
        if (!_absolute && sets is > 0 and <= Limits.SeriesAtStart)
        {
            BeginAtZero();
        }
    }

    public Instrument Instrument { get; }
    public string Name { get; }
    public string Help => Instrument.Description ?? Instrument.Name;
    public MetricKind Kind { get; }
    public double[] Buckets { get; }
    public MetricLabel[] Labels { get; }
    public IEnumerable<string> ConstantLabels => _constant.Select(tag => tag.Key);

    /// <returns>False if the family has as many label sets as it may have.</returns>
    public bool Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var index = ClosedIndex(tags);
        if (index < 0)
        {
            return Add(value, tags, -1);
        }
        if (Volatile.Read(ref _closed[index]) is not { } series)
        {
            return Add(value, tags, index);
        }
        series.Add(value);
        return true;
    }

    /// <summary>What an observable instrument said before is not what it says now.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            _series.Clear();
            Array.Clear(_closed);
        }
    }

    public IReadOnlyList<MetricSnapshot> Snapshot()
    {
        lock (_gate)
        {
            return [.. _series.Values.Select(s => s.Snapshot())];
        }
    }

    void BeginAtZero()
    {
        foreach (var (index, values) in MetricLabel.Sets(Labels).Index())
        {
            KeyValuePair<string, object?>[] tags =
            [
                .. Labels.Zip(values, (l, v) => new KeyValuePair<string, object?>(l.Name, v)),
            ];
            _closed[index] = Create(PrometheusText.Labels(_constant, tags));
        }
    }

    bool Add(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, int index)
    {
        var known = new KeyValuePair<string, object?>[tags.Length];
        for (var i = 0; i < tags.Length; i++)
        {
            known[i] = Within(tags[i]);
        }
        var labels = PrometheusText.Labels(_constant, known);
        lock (_gate)
        {
            if (!_series.TryGetValue(labels, out var series))
            {
                if (_series.Count >= Limits.SeriesMax)
                {
                    return false;
                }
                series = Create(labels);
            }
            if (index >= 0)
            {
                Volatile.Write(ref _closed[index], series);
            }
            series.Add(value);
        }
        return true;
    }

    MetricSeries Create(string labels) => _series[labels] = new MetricSeries(labels, Buckets, _absolute);

    /// <summary>The tag, with a value that its label may have.</summary>
    KeyValuePair<string, object?> Within(KeyValuePair<string, object?> tag) =>
        Array.Find(Labels, l => l.Name == tag.Key)?.Values is { } values
            && !values.Contains(Convert.ToString(tag.Value, CultureInfo.InvariantCulture) ?? "")
                ? new(tag.Key, MetricLabel.Other) : tag;

    /// <returns>-1 unless the tags are the declared labels with values of theirs.</returns>
    int ClosedIndex(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.Length != Labels.Length || _closed.Length == 0)
        {
            return -1;
        }
        var index = 0;
        foreach (var label in Labels)
        {
            var at = IndexOf(label.Values!, ValueOf(tags, label.Name));
            if (at < 0)
            {
                return -1;
            }
            index = (index * label.Values!.Count) + at;
        }
        return index;
    }

    static string? ValueOf(ReadOnlySpan<KeyValuePair<string, object?>> tags, string label)
    {
        foreach (var tag in tags)
        {
            if (tag.Key == label)
            {
                return tag.Value as string;
            }
        }
        return null;
    }

    static int IndexOf(IReadOnlyList<string> values, string? value)
    {
        for (var i = 0; i < values.Count; i++)
        {
            if (values[i] == value)
            {
                return i;
            }
        }
        return -1;
    }

    static double[] BucketsOf(Instrument instrument) => instrument switch
    {
        Histogram<double> { Advice.HistogramBucketBoundaries: { } declared } => [.. declared],
        Histogram<float> { Advice.HistogramBucketBoundaries: { } declared } => [.. declared.Select(b => (double)b)],
        Histogram<long> { Advice.HistogramBucketBoundaries: { } declared } => [.. declared.Select(b => (double)b)],
        Histogram<int> { Advice.HistogramBucketBoundaries: { } declared } => [.. declared.Select(b => (double)b)],
        _ => [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
    };
}
