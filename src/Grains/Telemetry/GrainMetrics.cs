using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Hearth.Contracts;

namespace Hearth.Grains.Telemetry;

/// <summary>What happens to turns, spills and moves, over all of the process (meter <c>Hearth.Grains</c>).</summary>
static class GrainMetrics
{
    static readonly Meter _meter = new("Hearth.Grains");

    static readonly double[] _moveSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

    static readonly KeyValuePair<string, object?> _kinds = new("kind", new[] { "idle", "running" });

    static readonly Counter<long> _turns = _meter.CreateCounter<long>("hearth.turns", null,
        "Turns that ended here, by what the cache did; moved: it goes on at another silo; none: it ended before.",
        [new("outcome", new[] { "committed", "failed", "cancelled", "moved" }),
            new("cache", new[] { "new", "hit", "restored", "pulled", "recomputed", "none" })]);

    static readonly Counter<long> _replays = _meter.CreateCounter<long>("hearth.turn_replays", null,
        "Turns answered from their stored result.");

    static readonly Counter<long> _takeovers = _meter.CreateCounter<long>("hearth.turn_takeovers", null,
        "Turns that this silo went on with after their silo was lost.");

    static readonly Counter<long> _cancelled = _meter.CreateCounter<long>("hearth.cancelled_turns", null,
        "Cancelled turns; client_left: the last reader hung up; abandoned: its connection was lost and nobody came; "
        + "asked: by API; interrupted: the activation ended.",
        [new("cause", new[] { "client_left", "abandoned", "asked", "interrupted", "too_large" })]);

    static readonly Counter<long> _spills = _meter.CreateCounter<long>("hearth.spills", null,
        "Writes of a cache to the store; cut: the next turn began.",
        [new("result", new[] { "written", "unchanged", "cut", "fenced", "failed" })]);

    static readonly Counter<long> _spillBytes = _meter.CreateCounter<long>("hearth.spill_bytes", "By",
        "Bytes of cache chunks written to the store.");

    static readonly Histogram<double> _spillSeconds = _meter.CreateHistogram("hearth.spill", "s",
        "Time of a write that finished.", null, new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
        });

    static readonly Counter<long> _moves = _meter.CreateCounter<long>("hearth.migrations", null,
        "Moves of a conversation to another silo, told by the silo that gives; running: in the middle of a reply.",
        [new("result", new[] { "moved", "refused", "failed", "timeout" }),
            new("reason", new[] { "drain", "balance", "asked" }), _kinds]);

    static readonly Counter<long> _movesIn = _meter.CreateCounter<long>("hearth.migrations_in", null,
        "Moves told by the silo that takes.", [new("result", new[] { "taken", "refused", "dropped" })]);

    static readonly Histogram<double> _moveTime = _meter.CreateHistogram("hearth.migration", "s",
        "Time of a move that succeeded.", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = _moveSeconds });

    static readonly Histogram<double> _movePause = _meter.CreateHistogram("hearth.migration_pause", "s",
        "How long a moved conversation was held.", [_kinds],
        new InstrumentAdvice<double> { HistogramBucketBoundaries = _moveSeconds });

    static readonly Counter<long> _moveBytes = _meter.CreateCounter<long>("hearth.migration_bytes", "By",
        "Bytes of caches that moved.", [new("direction", new[] { "out", "in" })]);

    // The same for the membership, which has no listener of meters.
    static readonly long[] _turnsBy = new long[Enum.GetValues<CacheOrigin>().Length];
    static long _movedIn, _takenOver;

    /// <summary>Shows the metrics at 0 before the first event.</summary>
    public static void Begin() => RuntimeHelpers.RunClassConstructor(typeof(GrainMetrics).TypeHandle);

    public static void Ended(TurnEvent? last, CacheOrigin? cache)
    {
        _turns.Add(1, new("outcome", last switch
        {
            TurnFinished => "committed",
            TurnFailed { Failure.Error: TurnError.Cancelled } => "cancelled",
            TurnFailed { Failure.Error: TurnError.Moved or TurnError.Fenced } => "moved",
            _ => "failed",
        }), new("cache", NameOf(cache)));
        if (cache is { } origin)
            Interlocked.Increment(ref _turnsBy[(int)origin]);
    }

    public static void Replayed() => _replays.Add(1);

    public static void TakenOver()
    {
        _takeovers.Add(1);
        Interlocked.Increment(ref _takenOver);
    }

    public static void Cancelled(CancelCause cause) => _cancelled.Add(1, Tag("cause", cause switch
    {
        CancelCause.ClientLeft => "client_left",
        CancelCause.Abandoned => "abandoned",
        CancelCause.Interrupted or CancelCause.Fenced => "interrupted",
        CancelCause.TooLarge => "too_large",
        _ => "asked",
    }));

    /// <param name="result">written, unchanged, cut, fenced or failed.</param>
    /// <param name="elapsed">Counts for what was written.</param>
    public static void Spilled(string result, TimeSpan elapsed)
    {
        _spills.Add(1, Tag("result", result));
        if (result == "written")
            _spillSeconds.Record(elapsed.TotalSeconds);
    }

    public static void SpilledBytes(long bytes) => _spillBytes.Add(bytes);

    /// <param name="result">moved, refused, failed or timeout.</param>
    /// <param name="reason">drain, balance or asked.</param>
    public static void Moved(string result, string reason, bool running, TimeSpan elapsed, TimeSpan pause)
    {
        var kind = Tag("kind", running ? "running" : "idle");
        _moves.Add(1, Tag("result", result), Tag("reason", reason), kind);
        if (result != "moved")
            return;
        _moveTime.Record(elapsed.TotalSeconds);
        _movePause.Record(pause.TotalSeconds, kind);
    }

    /// <param name="result">taken, refused or dropped.</param>
    public static void MovedIn(string result)
    {
        _movesIn.Add(1, Tag("result", result));
        if (result == "taken")
            Interlocked.Increment(ref _movedIn);
    }

    /// <param name="direction">out or in.</param>
    public static void MovedBytes(string direction, long bytes) => _moveBytes.Add(bytes, Tag("direction", direction));

    /// <summary>What this process has counted and its engines too: <see cref="SiloInfo.Counts"/>.</summary>
    public static Dictionary<string, long> CountsWith(EngineLoad load)
    {
        var counts = new Dictionary<string, long>
        {
            ["prompt_tokens"] = load.PromptTokens,
            ["cached_tokens"] = load.CachedTokens,
            ["generated_tokens"] = load.GeneratedTokens,
            ["moves_in"] = Interlocked.Read(ref _movedIn),
            ["takeovers"] = Interlocked.Read(ref _takenOver),
        };
        foreach (var origin in Enum.GetValues<CacheOrigin>())
            counts["turns_" + NameOf(origin)] = Interlocked.Read(ref _turnsBy[(int)origin]);
        return counts;
    }

    public static string NameOf(CacheOrigin? cache) => cache switch
    {
        CacheOrigin.New => "new",
        CacheOrigin.Hit => "hit",
        CacheOrigin.Restored => "restored",
        CacheOrigin.Pulled => "pulled",
        CacheOrigin.Recomputed => "recomputed",
        _ => "none",
    };

    static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}

/// <summary>Who or what cancelled a turn.</summary>
enum CancelCause
{
    Asked,
    ClientLeft,
    Abandoned,
    Interrupted,

    /// <summary>Another activation has the conversation, or will: the turn may go on there.</summary>
    Fenced,
    TooLarge,
}
