using System.Diagnostics.Metrics;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>What one turn adds to the metrics and to the log.</summary>
sealed class TurnRecord(string operation, string model, long startedAt)
{
    public string Operation => operation;
    public string Model => model;
    public long StartedAt => startedAt;
    public string Cache { get; set; } = "none";
    public string? Silo { get; set; }
    public Usage Usage { get; set; } = new(0, 0, 0);
    public List<FinishReason> Reasons { get; } = [];

    /// <summary>When the reply's first text came; null before.</summary>
    public long? FirstTextAt { get; set; }
}

/// <summary>The gateway's own instruments (meter <c>Hearth.Gateway</c>), OpenTelemetry's GenAI histograms among them.</summary>
sealed class GatewayMetrics : IDisposable
{
    static readonly double[] s_durations =
        [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
    static readonly double[] s_firstTokens =
        [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
    static readonly double[] s_perToken =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];

    readonly Meter _meter = new("Hearth.Gateway");
    readonly TimeProvider _time;
    readonly Counter<long> _turns;
    readonly Counter<long> _refused;
    readonly Counter<long> _resumed;
    readonly Counter<long> _tokens;
    readonly Histogram<double> _duration;
    readonly Histogram<double> _firstText;
    readonly Histogram<double> _perToken;
    int _streams;

    public GatewayMetrics(ICluster cluster, TurnAdmission admission, TimeProvider time)
    {
        _time = time;
        _turns = _meter.CreateCounter<long>("hearth.gateway.turns", null,
            "Turns that ended, by outcome and by what the cache did.",
            [GatewayLabels.Operation, GatewayLabels.Outcome, GatewayLabels.Cache]);
        _refused = _meter.CreateCounter<long>("hearth.gateway.turns_refused", null, "Turns refused at the door.",
            [GatewayLabels.Code]);
        _resumed = _meter.CreateCounter<long>("hearth.gateway.streams_resumed", null,
            "Streams that a client went on with after a break.");
        _tokens = _meter.CreateCounter<long>("hearth.gateway.tokens", null, "Tokens of turns; cached is a part of prompt.",
            [GatewayLabels.Tokens]);
        _duration = Seconds("gen_ai.server.request.duration", "From the request to the reply's end.", s_durations,
            GatewayLabels.GenAiOperation, GatewayLabels.GenAiModel, GatewayLabels.GenAiError);
        _firstText = Seconds("gen_ai.server.time_to_first_token", "From the request to the reply's first text.", s_firstTokens,
            GatewayLabels.GenAiOperation, GatewayLabels.GenAiModel);
        _perToken = Seconds("gen_ai.server.time_per_output_token",
            "Time per token after the first, of a reply that went well.", s_perToken,
            GatewayLabels.GenAiOperation, GatewayLabels.GenAiModel);
        Gauge("hearth.gateway.turns_running", "Turns in flight.", () => admission.Running);
        Gauge("hearth.gateway.stream_clients", "Clients that read a stream.", () => Volatile.Read(ref _streams));
        Gauge("hearth.cluster.ready", "1 while turns are accepted.", () => cluster.Status.Ready ? 1 : 0);
        Gauge("hearth.cluster.sequences_running", "Replies that the engines are making, over all silos.",
            () => cluster.Status.Load.Running);
        Gauge("hearth.cluster.sequences_waiting", "Replies that wait for an engine, over all silos: the queue's depth.",
            () => cluster.Status.Load.Waiting);
        Gauge("hearth.cluster.kv_blocks", "KV blocks that there are, over all silos.", () => cluster.Status.Load.BlocksTotal);
        Gauge("hearth.cluster.kv_blocks_used", "KV blocks of running replies and kept caches, over all silos.",
            () => cluster.Status.Load.BlocksUsed);
    }

    /// <param name="operation">One of <see cref="GatewayLabels.Operation"/>.</param>
    /// <param name="model">A model that is served; empty if it is not told.</param>
    public TurnRecord Begin(string operation, string model) => new(operation, model, _time.GetTimestamp());

    public void FirstText(TurnRecord record)
    {
        if (record.FirstTextAt is null)
        {
            record.FirstTextAt = _time.GetTimestamp();
            if (GatewayLabels.IsNew(record))
            {
                _firstText.Record(_time.GetElapsedTime(record.StartedAt, record.FirstTextAt.Value).TotalSeconds,
                    GatewayLabels.OperationOf(record), GatewayLabels.ModelOf(record));
            }
        }
    }

    public void End(TurnRecord record, string outcome)
    {
        _turns.Add(1, new("operation", record.Operation), new("outcome", outcome), new("cache", record.Cache));
        _tokens.Add(record.Usage.PromptTokens, new KeyValuePair<string, object?>("type", "prompt"));
        _tokens.Add(record.Usage.CachedTokens, new KeyValuePair<string, object?>("type", "cached"));
        _tokens.Add(record.Usage.CompletionTokens, new KeyValuePair<string, object?>("type", "completion"));
        if (!GatewayLabels.IsNew(record))
        {
            return;
        }
        var (operation, model) = (GatewayLabels.OperationOf(record), GatewayLabels.ModelOf(record));
        var now = _time.GetTimestamp();
        var seconds = _time.GetElapsedTime(record.StartedAt, now).TotalSeconds;
        if (outcome != RequestContext.Good)
        {
            _duration.Record(seconds, operation, model, new("error.type", outcome));
            return;
        }
        _duration.Record(seconds, operation, model);
        if (record.FirstTextAt is { } first && record.Usage.CompletionTokens > 1)
        {
            _perToken.Record(
                _time.GetElapsedTime(first, now).TotalSeconds / (record.Usage.CompletionTokens - 1), operation, model);
        }
    }

    /// <summary>A client begins to read a stream, until what is returned is disposed of.</summary>
    public StreamCount Streams() => new(this);

    public void Resumed() => _resumed.Add(1);

    public void Refused(string code) => _refused.Add(1, new KeyValuePair<string, object?>("code", code));

    public void Dispose() => _meter.Dispose();

    void Gauge(string name, string description, Func<long> read) =>
        _meter.CreateObservableGauge(name, read, description: description);

    Histogram<double> Seconds(string name, string description, double[] bounds, params KeyValuePair<string, object?>[] labels) =>
        _meter.CreateHistogram(
            name, "s", description, labels, new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });

    public readonly struct StreamCount : IDisposable
    {
        readonly GatewayMetrics _metrics;

        public StreamCount(GatewayMetrics metrics)
        {
            _metrics = metrics;
            Interlocked.Increment(ref metrics._streams);
        }

        public void Dispose() => Interlocked.Decrement(ref _metrics._streams);
    }
}
