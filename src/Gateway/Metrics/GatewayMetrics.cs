using System.Diagnostics.Metrics;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>What one turn adds to the metrics and to the log.</summary>
sealed class TurnRecord(string operation, long startedAt)
{
    public string Operation => operation;
    public long StartedAt => startedAt;
    public string Cache { get; set; } = "none";
    public Usage Usage { get; set; } = new(0, 0, 0);
    public bool HasText { get; set; }
}

/// <summary>The gateway's own instruments (meter <c>Hearth.Gateway</c>).</summary>
sealed class GatewayMetrics : IDisposable
{
    static readonly double[] s_seconds =
        [0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300];

    readonly Meter _meter = new("Hearth.Gateway");
    readonly TimeProvider _time;
    readonly Counter<long> _turns;
    readonly Counter<long> _refused;
    readonly Counter<long> _resumed;
    readonly Counter<long> _tokens;
    readonly Histogram<double> _duration;
    readonly Histogram<double> _firstText;

    public GatewayMetrics(ICluster cluster, TurnAdmission admission, TimeProvider time)
    {
        _time = time;
        _turns = _meter.CreateCounter<long>("hearth_gateway_turns",
            description: "Turns that ended, by outcome and by what the cache did.");
        _refused = _meter.CreateCounter<long>("hearth_gateway_turns_refused", description: "Turns refused at the door.");
        _resumed = _meter.CreateCounter<long>("hearth_gateway_streams_resumed",
            description: "Streams that a client went on with after a break.");
        _tokens = _meter.CreateCounter<long>("hearth_gateway_tokens",
            description: "Tokens of turns: prompt, cached (part of prompt), completion.");
        _duration = Seconds("hearth_gateway_turn_duration", "From the request to the reply's end.");
        _firstText = Seconds("hearth_gateway_time_to_first_token", "From the request to the reply's first text.");
        Gauge("hearth_gateway_turns_running", "Turns in flight.", () => admission.Running);
        Gauge("hearth_cluster_ready", "1 while turns are accepted.", () => cluster.Status.Ready ? 1 : 0);
        Gauge("hearth_cluster_sequences_running", "Replies that the engines are making.", () => cluster.Status.Load.Running);
        Gauge("hearth_cluster_sequences_waiting", "Replies that wait for an engine.", () => cluster.Status.Load.Waiting);
        Gauge("hearth_cluster_kv_blocks", "KV blocks that there are.", () => cluster.Status.Load.BlocksTotal);
        Gauge("hearth_cluster_kv_blocks_used", "KV blocks of running replies and kept caches.",
            () => cluster.Status.Load.BlocksUsed);
    }

    public TurnRecord Begin(string operation) => new(operation, _time.GetTimestamp());

    public void FirstText(TurnRecord record)
    {
        if (!record.HasText)
        {
            record.HasText = true;
            _firstText.Record(_time.GetElapsedTime(record.StartedAt).TotalSeconds, Tag("operation", record.Operation));
        }
    }

    public void End(TurnRecord record, string outcome)
    {
        _turns.Add(1, Tag("operation", record.Operation), Tag("outcome", outcome), Tag("cache", record.Cache));
        _duration.Record(_time.GetElapsedTime(record.StartedAt).TotalSeconds, Tag("operation", record.Operation));
        _tokens.Add(record.Usage.PromptTokens, Tag("type", "prompt"));
        _tokens.Add(record.Usage.CachedTokens, Tag("type", "cached"));
        _tokens.Add(record.Usage.CompletionTokens, Tag("type", "completion"));
    }

    public void Resumed() => _resumed.Add(1);

    public void Refused(string code) => _refused.Add(1, Tag("code", code));

    public void Dispose() => _meter.Dispose();

    static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    void Gauge(string name, string description, Func<long> read) =>
        _meter.CreateObservableGauge(name, read, description: description);

    Histogram<double> Seconds(string name, string description) => _meter.CreateHistogram(name, "s", description, null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = s_seconds });
}
