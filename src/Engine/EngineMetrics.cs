using System.Diagnostics.Metrics;
using Hearth.Contracts;
using Hearth.Engine.Memory;
using Hearth.Engine.Scheduling;

namespace Hearth.Engine;

/// <summary>The engine's numbers: written by its thread, read by anyone, and shown as the meter "Hearth.Engine". What vLLM has
/// too has vLLM's name. Counts are fields that are read when somebody looks; a histogram adds to its buckets. Nothing
/// allocates.</summary>
sealed class EngineMetrics : IDisposable
{
    static readonly KeyValuePair<string, object?> _source = new("source", new[] { "host", "store", "peer" });
    static readonly KeyValuePair<string, object?> _result =
        new("result", new[] { "restored", "partial", "rejected", "skipped" });
    static readonly KeyValuePair<string, object?> _reason =
        new("finished_reason", new[] { "stop", "length", "abort", "error", "moved" });

    readonly Meter _meter;
    readonly EngineHistograms _histograms;
    readonly Counter<long> _restores;
    readonly Counter<long> _restoreBytes;
    readonly Histogram<double> _restoreSeconds;
    readonly Counter<long> _ended;
    int _running;
    int _waiting;
    int _blocksUsed;
    int _onDevice;
    int _inHost;
    long _hostBytesUsed;
    long _promptTokens;
    long _cachedTokens;
    long _generatedTokens;
    long _preemptions;

    public EngineMetrics(string model, int blocksTotal, int blockTokens, long hostBytesTotal, TimeProvider time)
    {
        (BlocksTotal, BlockTokens, HostBytesTotal) = (blocksTotal, blockTokens, hostBytesTotal);
        _meter = new Meter(new MeterOptions("Hearth.Engine") { Tags = [new("model_name", model)] });
        _histograms = new EngineHistograms(_meter, time);
        Gauge("vllm.num_requests_running", () => Volatile.Read(ref _running), "Sequences that hold blocks.");
        Gauge("vllm.num_requests_waiting", () => Volatile.Read(ref _waiting),
            "Accepted sequences that wait for blocks: the engine's queue.");
        _meter.CreateObservableGauge("vllm.kv_cache_usage_perc", () => (double)Volatile.Read(ref _blocksUsed) / BlocksTotal, null,
            "Part of the KV blocks that is in use, 0 to 1; idle caches count.");
        Gauge("hearth.kv.blocks", () => BlocksTotal, "KV blocks of the device.");
        Gauge("hearth.kv.blocks_used", () => Volatile.Read(ref _blocksUsed), "KV blocks held by anyone.");
        Gauge("hearth.kv.host", () => HostBytesTotal, "Host memory for caches.", "By");
        Gauge("hearth.kv.host_used", () => Volatile.Read(ref _hostBytesUsed), "Of it, in use.", "By");
        Total("vllm.num_preemptions", () => Volatile.Read(ref _preemptions), "Sequences whose blocks were taken for another.");
        Total("vllm.prompt_tokens", () => Volatile.Read(ref _promptTokens), "Prompt tokens of admitted sequences.");
        Total("vllm.generation_tokens", () => Volatile.Read(ref _generatedTokens), "Tokens sampled.");
        Total("vllm.prefix_cache_queries", () => Volatile.Read(ref _promptTokens),
            "Prompt tokens that were looked up in the caches.");
        Total("vllm.prefix_cache_hits", () => Volatile.Read(ref _cachedTokens), "Of them, tokens that were not computed again.");
        _ended = _meter.CreateCounter<long>("vllm.request_success", null,
            "Sequences that ended, by why; moved: it goes on at another silo.",
            [_reason]);
        _restores = _meter.CreateCounter<long>("hearth.kv.restores", null,
            "Restores of caches that were not resident; skipped: computing was faster.",
            [_result, _source]);
        _restoreBytes = _meter.CreateCounter<long>("hearth.kv.restore_bytes", "By", "Bytes read by restores.", [_source]);
        _restoreSeconds = _meter.CreateHistogram("hearth.kv.restore", "s", "Time of a restore.", [_source],
            new InstrumentAdvice<double> { HistogramBucketBoundaries = EngineHistograms.Short });
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
        CachesOnDevice = Volatile.Read(ref _onDevice),
        CachesInHost = Volatile.Read(ref _inHost),
        PromptTokens = Volatile.Read(ref _promptTokens),
        CachedTokens = Volatile.Read(ref _cachedTokens),
        GeneratedTokens = Volatile.Read(ref _generatedTokens),
        Preemptions = Volatile.Read(ref _preemptions),
    };

    public void Now(int running, int waiting, KvMemory memory)
    {
        Volatile.Write(ref _running, running);
        Volatile.Write(ref _waiting, waiting);
        Volatile.Write(ref _blocksUsed, memory.Pool.Used);
        Volatile.Write(ref _hostBytesUsed, memory.Host.BytesUsed);
        Volatile.Write(ref _onDevice, memory.OnDevice);
        Volatile.Write(ref _inHost, memory.InHost);
    }

    public void Admitted(int promptTokens, int cachedTokens)
    {
        Interlocked.Add(ref _promptTokens, promptTokens);
        Interlocked.Add(ref _cachedTokens, cachedTokens);
    }

    /// <summary>A token was sampled, at this time.</summary>
    public void Generated(SequenceMarks marks, long now)
    {
        Interlocked.Increment(ref _generatedTokens);
        _histograms.Generated(marks, now);
        marks.Generated(now);
    }

    public void Ended(Sequence sequence, in TokenChunk last, long now)
    {
        _ended.Add(1, new KeyValuePair<string, object?>("finished_reason", last switch
        {
            { Kind: TokenChunkKind.Finished, Reason: FinishReason.Stop } => "stop",
            { Kind: TokenChunkKind.Finished } => "length",
            { Kind: TokenChunkKind.Suspended } => "moved",
            { Failure.Error: TurnError.Cancelled } => "abort",
            _ => "error",
        }));
        _histograms.Ended(sequence.Marks, sequence.PromptLength, now);
    }

    public void Preempted() => Interlocked.Increment(ref _preemptions);

    /// <param name="result">restored, partial or rejected.</param>
    public void Restored(string result, RestoreJob job)
    {
        var source = SourceOf(job.Source.Spill);
        _restores.Add(1, new("result", result), source);
        _restoreBytes.Add(job.Bytes, source);
        _restoreSeconds.Record(job.Elapsed.TotalSeconds, source);
    }

    public void Skipped(SpillSource source) => _restores.Add(1, new("result", "skipped"), SourceOf(source.Spill));

    public void FromHost() => _restores.Add(1, new("result", "restored"), new("source", "host"));

    /// <param name="rows">Tokens that were computed.</param>
    public void Stepped(TimeSpan elapsed, int rows) => _histograms.Stepped(elapsed, rows);

    public void Dispose() => _meter.Dispose();

    static KeyValuePair<string, object?> SourceOf(ICacheSpill spill) =>
        new("source", spill.Origin == CacheOrigin.Pulled ? "peer" : "store");

    void Gauge(string name, Func<long> value, string what, string? unit = null) =>
        _meter.CreateObservableGauge(name, value, unit, what);

    void Total(string name, Func<long> value, string what) => _meter.CreateObservableCounter(name, value, null, what);
}
