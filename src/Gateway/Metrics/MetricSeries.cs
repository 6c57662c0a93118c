using System.Diagnostics.Metrics;

namespace Hearth.Gateway;

enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>The values of one instrument, by its labels. Thread-safe.</summary>
sealed class MetricFamily(Instrument instrument, MetricKind kind, bool absolute, double[] buckets)
{
    readonly Lock _gate = new();
    readonly SortedDictionary<string, MetricSeries> _series = new(StringComparer.Ordinal);

    public string Name { get; } = PrometheusText.Name(instrument, kind);
    public string Help => instrument.Description ?? instrument.Name;
    public MetricKind Kind => kind;
    public IReadOnlyList<double> Buckets => buckets;

    /// <returns>False if the family has as many label sets as it may have.</returns>
    public bool Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = PrometheusText.Labels(tags);
        lock (_gate)
        {
            if (!_series.TryGetValue(labels, out var series))
            {
                if (_series.Count >= Limits.SeriesMax)
                {
                    return false;
                }
                _series[labels] = series = new MetricSeries(buckets.Length);
            }
            series.Add(value, absolute, kind == MetricKind.Histogram ? Bucket(value) : -1);
        }
        return true;
    }

    public IReadOnlyList<(string Labels, MetricSnapshot Values)> Snapshot()
    {
        lock (_gate)
        {
            return [.. _series.Select(s => (s.Key, s.Value.Snapshot()))];
        }
    }

    int Bucket(double value)
    {
        var found = Array.BinarySearch(buckets, value);
        return found >= 0 ? found : ~found;
    }
}

/// <param name="Counts">Histogram: values in each bucket, not cumulated, the last one is the rest.</param>
sealed record MetricSnapshot(double Value, long Count, IReadOnlyList<long> Counts);

/// <summary>One line of values; guarded by its family.</summary>
sealed class MetricSeries(int buckets)
{
    readonly long[] _counts = new long[buckets + 1];
    double _value;
    long _count;

    public void Add(double value, bool absolute, int bucket)
    {
        _value = absolute ? value : _value + value;
        if (bucket >= 0)
        {
            _count++;
            _counts[bucket]++;
        }
    }

    public MetricSnapshot Snapshot() => new(_value, _count, [.. _counts]);
}
