namespace Hearth.Contracts;

/// <summary>The waist between gateway and silos: a turn goes down, its events come back as one stream.</summary>
/// <exception cref="TurnFailedException">From the calls that answer with one value.</exception>
public interface ICluster
{
    /// <summary>Runs a turn, or attaches to it (from event 0) when the same turn id is running or is done.
    /// Ends with <see cref="TurnFinished"/> or <see cref="TurnFailed"/>; throws only on cancellation.
    /// A caller that stops enumerating cancels the turn.</summary>
    IAsyncEnumerable<TurnEvent> RunTurnAsync(ChatTurn turn, CancellationToken cancellationToken);

    /// <summary>The events of a turn that runs or is done, from one of them on: a stream that broke goes on here, through any
    /// gateway. Fails with <see cref="TurnError.ConversationNotFound"/> if there is no such turn, or its result was given
    /// up.</summary>
    IAsyncEnumerable<TurnEvent> AttachTurnAsync(
        TenantId tenant, ConversationId conversation, TurnId turn, int fromEvent, CancellationToken cancellationToken);

    /// <returns>False if no such turn waits or runs.</returns>
    ValueTask<bool> CancelTurnAsync(
        TenantId tenant, ConversationId conversation, TurnId turn, CancellationToken cancellationToken);

    IAsyncEnumerable<TurnEvent> RunCompletionAsync(CompletionTurn turn, CancellationToken cancellationToken);

    /// <summary>The conversation whose newest state is exactly this history (see <see cref="HistoryHash"/>), or null.</summary>
    ValueTask<ConversationId?> FindByHistoryAsync(TenantId tenant, string historyHash, CancellationToken cancellationToken);

    /// <summary>Models that are served or being loaded.</summary>
    IReadOnlyList<ModelCard> Models { get; }

    ValueTask<int[]> TokenizeAsync(string model, string text, bool addSpecialTokens, CancellationToken cancellationToken);

    /// <summary>The tokens that a turn with these items (and a generation prompt) would have.</summary>
    ValueTask<int[]> TokenizeChatAsync(string model, IReadOnlyList<ConversationItem> items, CancellationToken cancellationToken);

    ValueTask<string> DetokenizeAsync(string model, IReadOnlyList<int> tokens, CancellationToken cancellationToken);

    ValueTask<IReadOnlyList<ConversationInfo>> ListConversationsAsync(
        TenantId tenant, int limit, CancellationToken cancellationToken);

    /// <returns>null if the tenant has no such conversation.</returns>
    ValueTask<ConversationInfo?> DescribeConversationAsync(
        TenantId tenant, ConversationId id, CancellationToken cancellationToken);

    /// <summary>Writes the conversation's cache to the store and gives its blocks back.</summary>
    /// <returns>null if the tenant has no such conversation.</returns>
    ValueTask<ConversationInfo?> SpillConversationAsync(TenantId tenant, ConversationId id, CancellationToken cancellationToken);

    /// <summary>Moves the conversation with all that it holds, a running reply included, to another silo.</summary>
    /// <param name="silo">Id or name of the target; null lets placement choose.</param>
    /// <returns>null if the tenant has no such conversation.</returns>
    ValueTask<ConversationInfo?> MigrateConversationAsync(
        TenantId tenant, ConversationId id, string? silo, CancellationToken cancellationToken);

    /// <summary>The silos that are not dead.</summary>
    ValueTask<IReadOnlyList<SiloInfo>> ListSilosAsync(CancellationToken cancellationToken);

    /// <summary>Begins to move every conversation of a silo away, after which it leaves the cluster and ends.</summary>
    /// <returns>False if there is no such silo.</returns>
    ValueTask<bool> DrainSiloAsync(string silo, CancellationToken cancellationToken);

    /// <summary>Deletes transcript and caches. Delete wins: a running turn of it is cancelled.</summary>
    ValueTask<bool> DeleteConversationAsync(TenantId tenant, ConversationId id, CancellationToken cancellationToken);

    /// <summary>Live load and readiness, for health, admission and metrics.</summary>
    ClusterStatus Status { get; }
}

/// <summary>A conversation as operators see it.</summary>
public sealed record ConversationInfo
{
    public required string Id { get; init; }
    public required string Silo { get; init; }
    public required long Epoch { get; init; }

    /// <summary>idle, queued, running, or asleep (no activation).</summary>
    public required string State { get; init; }

    public required int Turns { get; init; }

    /// <summary>Tokens whose keys and values are held in the tier named.</summary>
    public required int CachedTokens { get; init; }

    /// <summary>device, host, disk, or none.</summary>
    public required string Tier { get; init; }

    public required long Bytes { get; init; }

    /// <summary>Tokens whose keys and values the store holds: what would survive this process.</summary>
    public int SpilledTokens { get; init; }
}

/// <summary>A silo as operators see it.</summary>
public sealed record SiloInfo
{
    /// <summary>Name and generation: another one after every start.</summary>
    public required string Id { get; init; }
    public required string Address { get; init; }
    public required int Pid { get; init; }
    public required string Device { get; init; }
    public required IReadOnlyList<string> Models { get; init; }

    /// <summary>joining, active or draining.</summary>
    public required string Status { get; init; }
    public required int Conversations { get; init; }
    public required int BlocksUsed { get; init; }
    public required int BlocksTotal { get; init; }
    public required int Running { get; init; }
    public required int Waiting { get; init; }

    /// <summary>What it has done since it started: prompt_tokens, cached_tokens (of them), generated_tokens; turns_new,
    /// turns_hit, turns_restored, turns_pulled, turns_recomputed; moves_in, takeovers.</summary>
    public required IReadOnlyDictionary<string, long> Counts { get; init; }
}

/// <param name="Ready">Whether turns are accepted now.</param>
/// <param name="Reason">Why not, or what is going on (loading 40 %), for people.</param>
/// <param name="Progress">0 to 1 while loading.</param>
/// <param name="Cause">What turns are refused with while it is not ready.</param>
public sealed record ClusterStatus(
    bool Ready, bool Started, string Reason, double Progress, EngineLoad Load, TurnError Cause = TurnError.Draining);

/// <summary>The part of a conversation's stored state that gateways read too: the silo's own state has these fields and
/// more.</summary>
public sealed record ConversationHead(string Model, int Turns);
