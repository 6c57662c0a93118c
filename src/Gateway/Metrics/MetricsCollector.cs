using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Hearth.Gateway;

/// <summary>Families of one name: of several instruments, where two silos share a process.</summary>
sealed record MetricGroup(MetricFamily Family, IReadOnlyList<MetricSnapshot> Series)
{
    public static MetricGroup Of(IEnumerable<MetricFamily> families)
    {
        var first = families.First();
        var same = families.Where(f => f.Kind == first.Kind && f.Buckets.AsSpan().SequenceEqual(first.Buckets));
        return new MetricGroup(first, [.. same.SelectMany(f => f.Snapshot())
            .GroupBy(s => s.Labels, (_, equal) => equal.Aggregate((a, b) => a.Plus(b)))
            .OrderBy(s => s.Labels, StringComparer.Ordinal)]);
    }
}

/// <summary>Listens to all meters named <c>Hearth.*</c> of this process, and to some of the runtime's, and keeps their values
/// for <c>/metrics</c>.</summary>
sealed class MetricsCollector : IDisposable
{
    readonly Lock _collecting = new();
    readonly MeterListener _listener = new();
    readonly ConcurrentDictionary<Instrument, MetricFamily> _families = new();
    readonly ProcessMetrics _process;
    long _dropped;

    public MetricsCollector(ProcessRole role)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (MetricLabel.IsShown(instrument))
            {
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, i => new MetricFamily(i)));
            }
        };
        _listener.MeasurementsCompleted = (instrument, _) => _families.TryRemove(instrument, out var _);
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<float>((_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, state) => Record(state, value, tags));
        _process = new ProcessMetrics(role, () => Interlocked.Read(ref _dropped));
        _listener.Start();
    }

    /// <summary>The values now, by name.</summary>
    public IReadOnlyList<MetricGroup> Collect()
    {
        lock (_collecting)
        {
            foreach (var family in _families.Values.Where(f => f.Instrument.IsObservable))
            {
                family.Forget();
            }
            _listener.RecordObservableInstruments();
            return [.. _families.Values.GroupBy(f => f.Name, (_, families) => MetricGroup.Of(families))
                .OrderBy(g => g.Family.Name, StringComparer.Ordinal)];
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        _process.Dispose();
    }

    void Record(object? state, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (!((MetricFamily)state!).Record(value, tags))
        {
            Interlocked.Increment(ref _dropped);
        }
    }
}
