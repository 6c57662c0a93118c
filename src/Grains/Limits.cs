namespace Hearth.Grains;

/// <summary>Every bound of this project.</summary>
public static class Limits
{
    /// <summary>Beginnings of conversations that a silo tells with its load.</summary>
    public const int PrefixesTold = 32;

    /// <summary>Conversations whose caches are written to the store at the same time.</summary>
    public const int SpillsAtOnce = 2;

    /// <summary>Memory that chunks are read into, kept for the next ones: so many of a size, up to this size.</summary>
    public const int ChunkMemoriesKept = 4;
    public const int ChunkMemoryBytesMax = 64 << 20;

    /// <summary>Bytes of a stored turn's events after decompression.</summary>
    public const int TurnRecordBytesMax = 64 << 20;

    /// <summary>Times that a turn looks up its grain again when it was collected in between.</summary>
    public const int ActivationTries = 5;

    /// <summary>How long a commit of unknown outcome is asked about before it is told as unknown, and how often.</summary>
    public static readonly TimeSpan CommitDecision = TimeSpan.FromSeconds(3);
    public static readonly TimeSpan CommitPause = TimeSpan.FromMilliseconds(100);

    /// <summary>A running turn's events in memory.</summary>
    public const long LiveTurnBytesMax = 64 << 20;

    /// <summary>How long a turn goes on when its last reader has vanished without a word.</summary>
    public static readonly TimeSpan AbandonedTurn = TimeSpan.FromSeconds(10);

    /// <summary>How long a turn that a dead owner left waits for somebody to ask for it, before it counts as failed.</summary>
    public static readonly TimeSpan UnclaimedTurn = TimeSpan.FromSeconds(30);

    /// <summary>Turns of a conversation that wait for their end.</summary>
    public const int UnendedTurnsMax = 256;

    /// <summary>How long other turns let it go first.</summary>
    public static readonly TimeSpan PendingFirst = TimeSpan.FromSeconds(1.5);

    /// <summary>Times that the rest of a begun reply is offered to an engine that has no room, and the time between.</summary>
    public const int ResumeTries = 100;
    public static readonly TimeSpan ResumePause = TimeSpan.FromMilliseconds(50);

    /// <summary>After which a refused caller may come again.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>Conversations that move here, and away, at the same time.</summary>
    public const int MovesIn = 8;
    public const int MovesOut = 4;

    /// <summary>One step of a move: a message there, or an answer back.</summary>
    public static readonly TimeSpan MoveStep = TimeSpan.FromSeconds(5);

    /// <summary>How long a cache is copied ahead of the move itself, and how often the copy waits for the reply to catch
    /// up.</summary>
    public static readonly TimeSpan MoveAhead = TimeSpan.FromSeconds(30);
    public const int MoveWaits = 50;
    public static readonly TimeSpan MoveWait = TimeSpan.FromMilliseconds(1);

    /// <summary>One part of a moving cache: small enough to stay in a processor's cache from copy to copy.</summary>
    public const int MovePartBytes = 2 << 20;

    /// <summary>Parts on their way that the target has not answered: some travel while one is taken.</summary>
    public const int MovePartsAhead = 4;

    /// <summary>How long a target asks the store whether a source that fell silent has handed over, and the time
    /// between.</summary>
    public static readonly TimeSpan MoveDecision = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan MoveAskAgain = TimeSpan.FromMilliseconds(100);

    /// <summary>Targets that a draining silo offers a conversation to, and the time between its rounds.</summary>
    public const int DrainTargets = 3;
    public static readonly TimeSpan DrainPause = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a silo is asked for a cache that it may still hold, and how long one part may take.</summary>
    public static readonly TimeSpan PullAsk = TimeSpan.FromMilliseconds(500);
    public static readonly TimeSpan PullPart = TimeSpan.FromSeconds(5);
}
