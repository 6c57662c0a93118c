using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Hearth.Gateway;

/// <summary>Listens to all meters named <c>Hearth.*</c> of this process and keeps their values for <c>/metrics</c>.</summary>
sealed class MetricsCollector : IDisposable
{
    static readonly double[] s_defaultBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

    readonly MeterListener _listener = new();
    readonly ConcurrentDictionary<Instrument, MetricFamily> _families = new();
    long _dropped;

    public MetricsCollector()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name.StartsWith("Hearth.", StringComparison.Ordinal))
            {
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, Family));
            }
        };
        _listener.MeasurementsCompleted = (instrument, _) => _families.TryRemove(instrument, out var _);
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<float>((_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, state) => Record(state, value, tags));
        _listener.Start();
    }

    /// <summary>Label sets that were not kept since there were too many.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>The families by name; instruments of one name (two silos in one process) stand side by side.</summary>
    public IReadOnlyList<MetricFamily> Collect()
    {
        _listener.RecordObservableInstruments();
        return [.. _families.Values.OrderBy(f => f.Name, StringComparer.Ordinal)];
    }

    public void Dispose() => _listener.Dispose();

    void Record(object? state, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (!((MetricFamily)state!).Record(value, tags))
        {
            Interlocked.Increment(ref _dropped);
        }
    }

    static MetricFamily Family(Instrument instrument)
    {
        var type = instrument.GetType().GetGenericTypeDefinition();
        var kind = type == typeof(Histogram<>) ? MetricKind.Histogram
            : type == typeof(Counter<>) || type == typeof(ObservableCounter<>) ? MetricKind.Counter : MetricKind.Gauge;
        var absolute = instrument.IsObservable || type == typeof(Gauge<>);
        return new MetricFamily(instrument, kind, absolute, kind == MetricKind.Histogram ? Buckets(instrument) : []);
    }

    static double[] Buckets(Instrument instrument) => instrument switch
    {
        Histogram<double> { Advice.HistogramBucketBoundaries: { } declared } => [.. declared],
        Histogram<float> { Advice.HistogramBucketBoundaries: { } declared } => [.. declared.Select(b => (double)b)],
        Histogram<long> { Advice.HistogramBucketBoundaries: { } declared } => [.. declared.Select(b => (double)b)],
        Histogram<int> { Advice.HistogramBucketBoundaries: { } declared } => [.. declared.Select(b => (double)b)],
        _ => s_defaultBuckets,
    };
}
