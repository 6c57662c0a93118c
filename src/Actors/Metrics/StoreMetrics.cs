using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Hearth.Actors.Storage;

namespace Hearth.Actors.Metrics;

/// <summary>Calls to the stores, over all of the process (meter <c>Hearth.Store</c>).</summary>
static class StoreMetrics
{
    internal static readonly double[] Seconds =
        [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

    static readonly Meter _store = new("Hearth.Store");

    static readonly Histogram<double> _calls = _store.CreateHistogram("hearth.store", "s",
        "Time of a call to the store of conversations.",
        [new("operation", new[] { "acquire", "begin", "commit", "read", "locate", "other" })],
        new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });

    static readonly Counter<long> _failures = _store.CreateCounter<long>("hearth.store.failures", null,
        "Calls to the store of conversations that failed; unknown: it may have written.",
        [new("outcome", new[] { "failed", "unknown" })]);

    static readonly Counter<long> _fenced = _store.CreateCounter<long>("hearth.fenced_writes", null,
        "Writes that the store refused because another activation owns the conversation.",
        [new("operation", new[] { "begin", "commit", "end", "release", "hand_over", "publish" })]);

    /// <summary>Shows the metrics at 0 before the first event.</summary>
    public static void Begin() => RuntimeHelpers.RunClassConstructor(typeof(StoreMetrics).TypeHandle);

    public static void Called(string operation, TimeSpan elapsed) =>
        _calls.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("operation", operation));

    public static void Failed(StoreException e) =>
        _failures.Add(1, new KeyValuePair<string, object?>("outcome", e.OutcomeUnknown ? "unknown" : "failed"));

    public static void Fenced(string operation) => _fenced.Add(1, new KeyValuePair<string, object?>("operation", operation));
}
