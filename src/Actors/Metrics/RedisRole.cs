using System.Diagnostics.Metrics;

namespace Hearth.Actors.Metrics;

/// <summary>Commands to one of Redis' roles, and whether the last one was answered (meter <c>Hearth.Redis</c>).</summary>
sealed class RedisRole(string name)
{
    static readonly Meter _redis = new("Hearth.Redis");

    static readonly KeyValuePair<string, object?>[] _labels = [new("role", new[] { "control", "members", "spill" })];

    static readonly Histogram<double> _commands = _redis.CreateHistogram("hearth.redis.command", "s",
        "Time of a command to Redis that was answered.", _labels,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = StoreMetrics.Seconds });

    static readonly Counter<long> _failures = _redis.CreateCounter<long>("hearth.redis.failures", null,
        "Commands to Redis that failed or were not answered in time.", _labels);

    static readonly Counter<long> _reconnects = _redis.CreateCounter<long>("hearth.redis.reconnects", null,
        "Connections to Redis made again after a loss.", _labels);

    /// <summary>Of a process that has a store on Redis, all three.</summary>
    static readonly ObservableGauge<int> _up = _redis.CreateObservableGauge("hearth.redis.up", Up, null,
        "1 while the connection to Redis works.", _labels);

    readonly KeyValuePair<string, object?> _role = new("role", name);
    volatile int _state = -1;

    public static RedisRole Control { get; } = new("control");
    public static RedisRole Members { get; } = new("members");
    public static RedisRole Spill { get; } = new("spill");

    public void Answered(TimeSpan elapsed)
    {
        _state = 1;
        _commands.Record(elapsed.TotalSeconds, _role);
    }

    public void Failed()
    {
        _state = 0;
        _failures.Add(1, _role);
    }

    public void Reconnected() => _reconnects.Add(1, _role);

    static IEnumerable<Measurement<int>> Up() => ((RedisRole[])[Control, Members, Spill]).Where(role => role._state >= 0)
        .Select(role => new Measurement<int>(role._state, role._role));
}
