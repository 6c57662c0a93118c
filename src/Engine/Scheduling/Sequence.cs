using System.Threading.Channels;
using Hearth.Contracts;
using Hearth.Engine.Memory;
using Hearth.Engine.Sampling;

namespace Hearth.Engine.Scheduling;

enum SequenceState
{
    /// <summary>Has no blocks: new or preempted.</summary>
    Waiting,

    /// <summary>Has its blocks; a worker copies a spilled cache into them.</summary>
    Restoring,
    Running,
    Done,
}

/// <summary>One reply on its way. What is left to do follows from three numbers: tokens computed, known, and at most.</summary>
sealed class Sequence(long order, TokenRequest request, long seed, KvCache cache, int knownMax)
{
    readonly Channel<TokenChunk> _chunks = Channel.CreateBounded<TokenChunk>(
        new BoundedChannelOptions(Limits.ChunksUnreadMax + 1) { SingleReader = true, SingleWriter = true });

    readonly int[] _stopTokens = [.. request.StopTokens];
    volatile bool _isPaused;
    volatile bool _isAbandoned;

    /// <summary>By arrival: the oldest goes first and is preempted last.</summary>
    public long Order => order;

    public TokenRequest Request => request;

    public SequenceMarks Marks { get; init; } = new(0, default);
    public long Seed => seed;
    public KvCache Cache => cache;
    public SequenceState State { get; set; }

    public int PromptLength => request.Prompt.Length;
    public int Known => cache.Tokens.Count;
    public int KnownMax => knownMax;

    /// <summary>Known tokens without keys and values yet: 1 while decoding.</summary>
    public int Remaining => Known - cache.Computed;

    public Penalties? Penalties { get; } = Penalties.Needed(request.Sampling)
        ? new Penalties(request.Sampling, request.Prompt.Span, request.Prompt.Length - request.ReplyTokens)
        : null;

    /// <summary>Where more of the prompt's cache may be, until it was read.</summary>
    public List<SpillSource> Sources { get; } = SpillSource.Of(request);

    /// <summary>Who gave tokens that were not resident.</summary>
    public SpillSource? RestoredFrom { get; set; }

    /// <summary>A source held more than what was resident.</summary>
    public bool Existed { get; set; }

    /// <summary>Why the sources tried so far did not give all.</summary>
    public string? CacheReason { get; set; }

    /// <summary>The Admitted chunk was sent.</summary>
    public bool IsAnnounced { get; set; }

    /// <summary>Wake the loop when the request is cancelled or suspended.</summary>
    public CancellationTokenRegistration Cancelled { get; set; }
    public CancellationTokenRegistration Suspended { get; set; }

    /// <summary>Gives up on a reader that stays behind; null while it does not.</summary>
    public ITimer? PauseTimer { get; set; }

    /// <summary>Set from a timer.</summary>
    public bool IsAbandoned
    {
        get => _isAbandoned;
        set => _isAbandoned = value;
    }

    /// <summary>Its cache was given up while it runs.</summary>
    public bool IsDropped { get; set; }

    /// <summary>What was resident when it got its blocks.</summary>
    public Admission Admission { get; set; }

    public bool IsPaused
    {
        get => _isPaused;
        set => _isPaused = value;
    }

    public ChannelReader<TokenChunk> Chunks => _chunks.Reader;

    /// <summary>The last place of the channel is the final chunk's.</summary>
    public bool HasRoom => _chunks.Reader.Count < Limits.ChunksUnreadMax;

    public bool IsAskedToEnd => request.Cancellation.IsCancellationRequested || request.Suspension.IsCancellationRequested;

    public bool IsStop(int token) => _stopTokens.AsSpan().Contains(token);

    public void Write(in TokenChunk chunk)
    {
        if (!_chunks.Writer.TryWrite(chunk))
        {
            throw new InvalidOperationException("A sequence ran although its reader was behind.");
        }
    }

    public void Complete() => _chunks.Writer.TryComplete();
}
