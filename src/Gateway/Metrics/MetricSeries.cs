namespace Hearth.Gateway;

/// <param name="Labels">As they stand between the braces.</param>
/// <param name="Value">The value; of a histogram the sum.</param>
/// <param name="Counts">Histogram: values in each bucket, not cumulated, the last one is the rest.</param>
sealed record MetricSnapshot(string Labels, double Value, IReadOnlyList<long> Counts)
{
    /// <summary>Two series of one name and one label set are one: two silos may share a process.</summary>
    public MetricSnapshot Plus(MetricSnapshot other) =>
        new(Labels, Value + other.Value, [.. Counts.Zip(other.Counts, (a, b) => a + b)]);
}

/// <summary>The values of one label set. Thread-safe, and allocates nothing.</summary>
sealed class MetricSeries(string labels, double[] bounds, bool absolute)
{
    readonly Lock _gate = new();
    readonly long[] _counts = bounds.Length > 0 ? new long[bounds.Length + 1] : [];
    double _value;

    public void Add(double value)
    {
        lock (_gate)
        {
            _value = absolute ? value : _value + value;
            if (_counts.Length > 0)
            {
                _counts[Bucket(value)]++;
            }
        }
    }

    public MetricSnapshot Snapshot()
    {
        lock (_gate)
        {
            return new MetricSnapshot(labels, _value, [.. _counts]);
        }
    }

    /// <summary>The first bucket whose upper bound is not below the value; one beyond them for the rest.</summary>
    int Bucket(double value)
    {
        var found = Array.BinarySearch(bounds, value);
        return found >= 0 ? found : ~found;
    }
}
