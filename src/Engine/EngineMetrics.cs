using System.Diagnostics.Metrics;
using Hearth.Contracts;

namespace Hearth.Engine;

/// <summary>The engine's numbers: written by its thread, read by anyone, and shown as the meter "Hearth.Engine".</summary>
sealed class EngineMetrics : IDisposable
{
    readonly Meter _meter = new("Hearth.Engine");
    readonly Histogram<double> _stepSeconds;
    readonly Counter<long> _restores;
    int _running;
    int _waiting;
    int _blocksUsed;
    long _hostBytesUsed;
    long _promptTokens;
    long _cachedTokens;
    long _generatedTokens;
    long _preemptions;

    public EngineMetrics(string model, int blocksTotal, int blockTokens, long hostBytesTotal)
    {
        (BlocksTotal, BlockTokens, HostBytesTotal) = (blocksTotal, blockTokens, hostBytesTotal);
        var tag = new KeyValuePair<string, object?>("model", model);
        Gauge("hearth.requests.running", () => new(Volatile.Read(ref _running), tag), "Sequences that hold blocks.");
        Gauge("hearth.requests.waiting", () => new(Volatile.Read(ref _waiting), tag), "Accepted sequences without blocks.");
        Gauge("hearth.kv.blocks_used", () => new(Volatile.Read(ref _blocksUsed), tag), "KV blocks held by anyone.");
        Gauge("hearth.kv.blocks_total", () => new(BlocksTotal, tag), "KV blocks on the device.");
        Gauge("hearth.kv.host_used", () => new(Volatile.Read(ref _hostBytesUsed), tag), "Spilled caches in host memory.", "By");
        Total("hearth.prompt.tokens", () => new(Volatile.Read(ref _promptTokens), tag), "Prompt tokens of admitted requests.");
        Total("hearth.prompt.cached_tokens", () => new(Volatile.Read(ref _cachedTokens), tag), "Of them, not computed again.");
        Total("hearth.generation.tokens", () => new(Volatile.Read(ref _generatedTokens), tag), "Tokens sampled.");
        Total("hearth.preemptions", () => new(Volatile.Read(ref _preemptions), tag), "Sequences whose blocks were taken.");
        _restores = _meter.CreateCounter<long>("hearth.kv.restores", description: "Restores of spilled caches by result.");
        _stepSeconds = _meter.CreateHistogram(
            "hearth.engine.step",
            "s",
            "Time of one engine step.",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
            });
    }

    public int BlocksTotal { get; }
    public int BlockTokens { get; }
    public long HostBytesTotal { get; }

    public EngineLoad Load => new()
    {
        Running = Volatile.Read(ref _running),
        Waiting = Volatile.Read(ref _waiting),
        BlocksTotal = BlocksTotal,
        BlocksUsed = Volatile.Read(ref _blocksUsed),
        BlockTokens = BlockTokens,
        HostBytesUsed = Volatile.Read(ref _hostBytesUsed),
        HostBytesTotal = HostBytesTotal,
        PromptTokens = Volatile.Read(ref _promptTokens),
        CachedTokens = Volatile.Read(ref _cachedTokens),
        GeneratedTokens = Volatile.Read(ref _generatedTokens),
        Preemptions = Volatile.Read(ref _preemptions),
    };

    public void Now(int running, int waiting, int blocksUsed, long hostBytesUsed)
    {
        Volatile.Write(ref _running, running);
        Volatile.Write(ref _waiting, waiting);
        Volatile.Write(ref _blocksUsed, blocksUsed);
        Volatile.Write(ref _hostBytesUsed, hostBytesUsed);
    }

    public void Admitted(int promptTokens, int cachedTokens)
    {
        Interlocked.Add(ref _promptTokens, promptTokens);
        Interlocked.Add(ref _cachedTokens, cachedTokens);
    }

    public void Generated() => Interlocked.Increment(ref _generatedTokens);

    public void Preempted() => Interlocked.Increment(ref _preemptions);

    /// <param name="result">restored, partial, rejected or skipped.</param>
    public void Restored(string result) => _restores.Add(1, new KeyValuePair<string, object?>("result", result));

    public void Stepped(TimeSpan elapsed) => _stepSeconds.Record(elapsed.TotalSeconds);

    public void Dispose() => _meter.Dispose();

    void Gauge(string name, Func<Measurement<long>> value, string what, string? unit = null) =>
        _meter.CreateObservableGauge(name, value, unit, what);

    void Total(string name, Func<Measurement<long>> value, string what) =>
        _meter.CreateObservableCounter(name, value, null, what);
}
