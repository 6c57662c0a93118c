namespace Hearth.Engine;

/// <summary>Every bound of the engine, with its reason.</summary>
static partial class Limits
{
    /// <summary>Tokens of a cache chunk: a few MiB of a mid-sized model, so a broken one costs little to recompute.</summary>
    public const int ChunkTokens = 256;

    /// <summary>Positions of all blocks are counted in 32 bits.</summary>
    public const int BlocksMax = 1 << 25;

    public const int BatchTokensMax = 1 << 16;
    public const int SequencesMax = 1024;
    public const int QueueMax = 1 << 16;
    public const int ThreadsMax = 1024;

    /// <summary>Chunks of a reply that may wait for its reader; then its sequence pauses.</summary>
    public const int ChunksUnreadMax = 256;

    /// <summary>Room reserved at once for a reply's ids; it grows if need be.</summary>
    public const int ReplyRoomTokens = 4096;

    /// <summary>Memory of exported parts that is kept for the next ones, and from which size on.</summary>
    public const long BlobBuffersKeptBytes = 64 << 20;
    public const int BlobBufferBytesMin = 64 << 10;

    /// <summary>Exports and imports under way; more wait at the door.</summary>
    public const int TransfersMax = 64;

    /// <summary>Budget that decoding leaves to prompts when every sequence decodes.</summary>
    public const int PrefillTokensMin = 16;

    /// <summary>Part of a step's prompt tokens that belongs to the oldest prompt, so that short ones cannot starve it.</summary>
    public const int OldestPromptShare = 4;

    /// <summary>Blocks beside the cached prefix that are looked at for a partial match.</summary>
    public const int PartialCandidatesMax = 32;

    /// <summary>Restores that read at the same time: a slow store holds up one conversation, not all.</summary>
    public const int RestoreWorkers = 4;

    /// <summary>Chunks of one restore that are read side by side, while the one before them is copied.</summary>
    public const int RestoreReads = 2;

    /// <summary>Fewer tokens than this are restored only when measured to be faster.</summary>
    public const int RestoreTokensMin = 64;

    /// <summary>Sources whose speed is remembered.</summary>
    public const int RestoreSourcesMax = 64;

    /// <summary>Of so many restores that seem too slow, one is tried.</summary>
    public const int RestoreTriedEvery = 8;

    /// <summary>Step groups that a trace tells of one reply.</summary>
    public const int TraceGroupsMax = 128;

    public const int StopTokensMax = 256;
    public const int LogitBiasMax = 4096;
    public const int TopLogprobsMax = 20;

    /// <summary>A reader that takes nothing for so long has gone away.</summary>
    public static readonly TimeSpan ReaderPauseMax = TimeSpan.FromSeconds(60);

    /// <summary>One chunk read; then the rest is recomputed.</summary>
    public static readonly TimeSpan RestoreReadMax = TimeSpan.FromSeconds(10);

    /// <summary>Least memory of a step's numbers on a card.</summary>
    public const int CudaStepBytesMin = 64 << 10;

    /// <summary>Rows of logits that a card computes and sends back at once.</summary>
    public const int CudaLogitRows = 64;

    /// <summary>Memory of the parts that flash-decoding merges; more sequences take several passes.</summary>
    public const long CudaPartialBytes = 64 << 20;

    /// <summary>What of a block crosses the link at once.</summary>
    public const int CudaPieceBytes = 1 << 20;

    /// <summary>Recorded decode steps that are kept, by rows and length.</summary>
    public const int CudaGraphsMax = 128;
}
