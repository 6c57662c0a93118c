using System.Threading.Channels;

namespace Hearth.Contracts;

/// <summary>The waist inside a silo: tokens go down, tokens come back. Thread-safe.</summary>
public interface ITokenEngine
{
    ModelCard Model { get; }
    EngineLoad Load { get; }

    /// <summary>A request that came now would be refused as <see cref="TurnError.Overloaded"/>.</summary>
    bool IsFull => false;

    /// <summary>Requests that may wait; one more is refused.</summary>
    int MaxQueue => int.MaxValue;

    /// <summary>Tokens of a cache chunk, the unit of spill and resume; a multiple of <see cref="BlockTokens"/>.</summary>
    int ChunkTokens { get; }

    /// <summary>Tokens of a block: where an exported part may begin.</summary>
    int BlockTokens { get; }

    /// <summary>Accepts or refuses at once. The channel is bounded; a reader that falls behind pauses its own sequence only.
    /// Every accepted request ends with exactly one <see cref="TokenChunkKind.Finished"/>, <see cref="TokenChunkKind.Failed"/> or
    /// <see cref="TokenChunkKind.Suspended"/> and the channel's completion, also after cancellation.</summary>
    /// <returns><see cref="TurnError.None"/>, or the reason of the refusal (then <paramref name="chunks"/> is null).</returns>
    TurnError TrySubmit(TokenRequest request, out ChannelReader<TokenChunk>? chunks);

    /// <summary>What the engine holds for a conversation now.</summary>
    CacheInfo DescribeCache(CacheId cache);

    /// <summary>Copies a part of a conversation's cache as a self-checking blob, also while it grows: tokens from
    /// <paramref name="first"/>, a multiple of <see cref="BlockTokens"/>, to the end of its chunk or of what is held.</summary>
    /// <returns>Null if the engine does not hold <paramref name="first"/>.</returns>
    ValueTask<CacheChunk?> ExportAsync(CacheId cache, int first, CancellationToken cancellationToken);

    /// <summary>As <see cref="ExportAsync"/>, but of so many tokens at most where the engine can: for parts that shall be on
    /// their way soon.</summary>
    /// <param name="most">A multiple of <see cref="BlockTokens"/>.</param>
    ValueTask<CacheChunk?> ExportPartAsync(CacheId cache, int first, int most, CancellationToken cancellationToken) =>
        ExportAsync(cache, first, cancellationToken);

    /// <summary>As <see cref="ExportAsync"/>, but keys and values are rounded to 8 bits where the engine can: for spills that
    /// shall be small. A reply from such a cache may differ from what it would have been, and its cache reason says so.</summary>
    ValueTask<CacheChunk?> ExportInt8Async(CacheId cache, int first, CancellationToken cancellationToken) =>
        ExportAsync(cache, first, cancellationToken);

    /// <summary>Appends an exported part to a conversation's idle cache, for the request that will take it over.
    /// Parts come in order; what is held from <paramref name="first"/> on is replaced. Nothing is taken on trust.</summary>
    /// <param name="scope">As <see cref="TokenRequest.Scope"/>.</param>
    /// <param name="tokens">All token ids from position 0 to the part's end.</param>
    /// <param name="first">The part's first token, a multiple of <see cref="BlockTokens"/>.</param>
    /// <returns>Null when it is held now, else why not: no room, busy, a gap, or what is wrong with the blob.</returns>
    ValueTask<string?> ImportAsync(CacheId cache, string scope, ReadOnlyMemory<int> tokens, int first,
        ReadOnlyMemory<byte> blob, CancellationToken cancellationToken);

    /// <summary>Gives back all that is held for a conversation, in every tier of the engine. Idempotent.</summary>
    ValueTask DropAsync(CacheId cache, CancellationToken cancellationToken);
}

/// <summary>A conversation's cache in the engine: unique over tenants and conversations.</summary>
public readonly record struct CacheId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>One reply to make.</summary>
public sealed record TokenRequest
{
    public required CacheId Cache { get; init; }

    /// <summary>Prefixes are shared only between requests of one scope (tenant and salt).</summary>
    public required string Scope { get; init; }

    /// <summary>The whole prompt. The engine reuses what it holds of the longest common prefix and computes the rest.</summary>
    public required ReadOnlyMemory<int> Prompt { get; init; }

    /// <summary>How many of the prompt's last tokens are this reply's own, when it goes on after a move: penalties count them.
    /// Give the same seed as before; draws go by position, so the reply continues as if it had stayed.</summary>
    public int ReplyTokens { get; init; }

    public required SamplingOptions Sampling { get; init; }

    /// <summary>At least 1; the context's end cuts it.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>Ids that end the reply; reported as its last token.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>Alternatives and log-probabilities are computed only when asked for.</summary>
    public bool Logprobs { get; init; }

    /// <summary>The conversation's cache in the store, used where it holds more than the engine does; null if none.</summary>
    public ICacheSpill? Spill { get; init; }

    /// <summary>A second place that holds it: another silo. The one by which the prompt is ready sooner, as measured, is read,
    /// and the other for what that one did not give.</summary>
    public ICacheSpill? Peer { get; init; }

    /// <summary>How its keys and values are kept.</summary>
    public CacheKind Kind { get; init; }

    /// <summary>False when nothing of this request is worth keeping after it (extra choices, plain completions):
    /// its blocks go back at the end, but stay findable as a shared prefix until they are needed.</summary>
    public bool Keep { get; init; } = true;

    /// <summary>Ends the sequence at the next step.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Ends the sequence at the next token boundary, in whatever state it is, with
    /// <see cref="TokenChunkKind.Suspended"/>: it goes on elsewhere, from the tokens that were given out. Its cache is kept if
    /// <see cref="Keep"/> is set, and findable otherwise.</summary>
    public CancellationToken Suspension { get; init; }
}

/// <summary>Reads a conversation's spilled cache. The engine reads a few chunks side by side, checks every one, and uses none
/// that does not match.</summary>
public interface ICacheSpill
{
    /// <summary>The tokens that the spill covers, from position 0.</summary>
    ReadOnlyMemory<int> Tokens { get; }

    /// <summary>What a reply says of tokens that came from here: restored, or pulled from another silo.</summary>
    CacheOrigin Origin => CacheOrigin.Restored;

    /// <summary>What people call it ("the store", "silo s2"); reads of one name are measured together.</summary>
    string Source => "the store";

    /// <returns>The chunk as it was exported; null if it is gone.</returns>
    ValueTask<CacheChunk?> ReadAsync(int chunk, CancellationToken cancellationToken);
}

/// <param name="First">Position of its first token.</param>
/// <param name="Tokens">Number of tokens in the chunk.</param>
/// <param name="Blob">Header, keys and values, checksum; readable by an engine with the same model fingerprint only.</param>
/// <param name="Lease">Gives the blob's memory back to whom it belongs.</param>
public sealed record CacheChunk(int First, int Tokens, ReadOnlyMemory<byte> Blob, IDisposable? Lease = null) : IDisposable
{
    /// <summary>For those who have read the blob and keep nothing of it; not to do so costs a little time, no more.</summary>
    public void Dispose() => Lease?.Dispose();
}

public enum CacheTier
{
    None,
    Device,
    Host,
}

/// <param name="Tokens">Tokens whose keys and values are held.</param>
public readonly record struct CacheInfo(CacheTier Tier, int Tokens, long Bytes);

public enum TokenChunkKind
{
    /// <summary>First of a request: the prompt was admitted and its cached part is known.</summary>
    Admitted,
    Token,
    Finished,
    Failed,
    /// <summary>Ended by <see cref="TokenRequest.Suspension"/>; last of a request, as Finished and Failed are.</summary>
    Suspended,
}

/// <summary>One step of a reply.</summary>
public readonly record struct TokenChunk
{
    public required TokenChunkKind Kind { get; init; }

    /// <summary>Token: the id.</summary>
    public int Token { get; init; }

    /// <summary>Token, when asked for: natural log of its probability at temperature 1, before penalties and filters.</summary>
    public float Logprob { get; init; }

    /// <summary>Token, when asked for: the most probable ids, best first.</summary>
    public IReadOnlyList<(int Token, float Logprob)>? Top { get; init; }

    /// <summary>Admitted: prompt tokens that are not computed again, and where they came from.</summary>
    public int CachedTokens { get; init; }
    public CacheOrigin Cache { get; init; }

    /// <summary>Admitted, for people: why the cache did not serve more, or that it is not exact; null when it served all it
    /// could.</summary>
    public string? CacheReason { get; init; }

    /// <summary>Finished.</summary>
    public FinishReason Reason { get; init; }

    /// <summary>Failed.</summary>
    public TurnFailure? Failure { get; init; }
}

/// <summary>A snapshot of the engine's load.</summary>
public sealed record EngineLoad
{
    public int Running { get; init; }
    public int Waiting { get; init; }
    public int BlocksTotal { get; init; }

    /// <summary>Blocks of running sequences and of kept caches.</summary>
    public int BlocksUsed { get; init; }
    public int BlockTokens { get; init; }
    public long HostBytesUsed { get; init; }
    public long HostBytesTotal { get; init; }

    /// <summary>Conversations whose cache is on the device, and in host memory.</summary>
    public int CachesOnDevice { get; init; }
    public int CachesInHost { get; init; }
    public long PromptTokens { get; init; }
    public long CachedTokens { get; init; }
    public long GeneratedTokens { get; init; }
    public long Preemptions { get; init; }
}
