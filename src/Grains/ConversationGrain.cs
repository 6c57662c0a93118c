using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Grains.Caches;
using Hearth.Grains.Prompts;
using Hearth.Grains.Replies;
using Hearth.Grains.Telemetry;
using Hearth.Grains.Transcripts;
using Microsoft.Extensions.Logging;

namespace Hearth.Grains;

/// <summary>A conversation: its transcript, its exact tokens, and its turns, one after the other.
/// A cancelled turn leaves nothing in the transcript: neither its items nor the part of the reply that was shown.</summary>
sealed class ConversationGrain(GrainContext context, ConversationServices services) : Grain(context)
{
    readonly OrderedDictionary<TurnId, LiveTurn> _turns = [];
    readonly CacheSpiller _spiller = new(
        services.Blobs, services.Codec, services.Quantize, context, services.SpillLimit, services.Logger);
    readonly TurnGate _gate = new();
    readonly long _born = services.Time.GetTimestamp();
    bool _askedBefore;
    PendingClaims _claims = PendingClaims.None;
    (TurnId Turn, TurnPrompt Prompt)? _ready;

    /// <summary>Touched in the grain's turn only.</summary>
    internal List<Entry> Entries { get; private set; } = [];

    /// <summary>The tokens of prompt and replies exactly as the engine had them, as of the last commit.</summary>
    internal int[] Tokens { get; private set; } = [];

    internal ConversationState State { get; private set; } = ConversationState.None;

    /// <summary>Turns that wait for their end in the store.</summary>
    internal UnendedTurns Unended => LazyInitializer.EnsureInitialized(
        ref field, () => new UnendedTurns(services.Time, EndUnclaimedAsync));

    internal CacheSpiller Spiller => _spiller;
    internal ConversationServices Services => services;
    internal CacheId Cache => CacheOf(Context.Id);

    /// <summary>Keeps messages apart, and holds them all during a move.</summary>
    internal TurnGate Gate => _gate;

    /// <summary>The turn that runs; null if none does.</summary>
    internal TurnRun? Current { get; private set; }

    /// <summary>How long this activation has lived.</summary>
    internal TimeSpan Age => services.Time.GetElapsedTime(_born);

    /// <summary>The model of the turn that runs, else of the last one; empty before the first.</summary>
    internal string Model => Current?.Turn.Model ?? State.Model;

    /// <summary>Whom the cache may share prefixes with.</summary>
    internal string Scope => Current?.Scope ?? TurnRun.ScopeOf(Context.Id.Scope, State.CacheSalt);

    /// <summary>The tokens that the conversation has come to, as far as they have been shown.</summary>
    internal int[] KnownTokens => Current?.KnownTokens ?? Tokens;

    /// <summary>The turns that wait or run, in order.</summary>
    internal IReadOnlyList<LiveTurn> Live
    {
        get
        {
            lock (_turns)
                return [.. _turns.Values];
        }
    }

    /// <summary>idle, queued or running.</summary>
    public string Activity
    {
        get
        {
            lock (_turns)
                return Current is not null ? "running" : _turns.Count > 0 ? "queued" : "idle";
        }
    }

    public SpillManifest? Spilled => _spiller.Published;

    public static CacheId CacheOf(GrainId id) => new(id.ToString());

    /// <summary>Joins the turn of this id that waits or runs, or queues it. Thread-safe.
    /// Who gets a turn reads it, then leaves it.</summary>
    /// <param name="origin">Where it goes on, if another silo began it.</param>
    /// <param name="place">Given back when the turn begins or ends, or is not queued.</param>
    /// <param name="ahead">What <see cref="BeginAhead"/> gave for it.</param>
    /// <exception cref="GrainRefusedException">The mailbox is full, or this activation is ending.</exception>
    /// <exception cref="TurnFailedException">The id is in use for another turn.</exception>
    public LiveTurn Join(ChatTurn turn, TurnOrigin origin, IDisposable? place = null, TurnRun? ahead = null)
    {
        lock (_turns)
        {
            if (_turns.TryGetValue(turn.Id, out var live))
            {
                if (live.Turn!.BodyHash != turn.BodyHash)
                    throw Conflict(turn.Id);
                if (live.TryJoin())
                {
                    place?.Dispose();
                    return live;
                }
            }
            turn = turn.Created == default ? turn with { Created = services.Time.GetUtcNow() } : turn;
            live = ahead?.Live ?? new LiveTurn(turn, Context.Lease, services.Time, place);
            live.TryJoin();
            var run = _claims.Claim(turn.Id, origin.IsBegun, () =>
                Context.CallAsync(() => _gate.RunAsync(() => RunAsync(ahead ?? new TurnRun(this, turn, live, origin)))));
            if (run.IsFaulted)
                throw run.Exception.InnerException!;
            _turns.Remove(turn.Id);
            _turns.Add(turn.Id, live);
            _ = EndAsync(turn.Id, live, run);
            return live;
        }
    }

    /// <summary>Joins the turn of this id if it waits or runs. Thread-safe.</summary>
    public LiveTurn? TryJoin(TurnId turn)
    {
        lock (_turns)
            return _turns.TryGetValue(turn, out var live) && live.TryJoin() ? live : null;
    }

    /// <summary>Whether the turn of this id waits or runs. Thread-safe.</summary>
    public bool Knows(TurnId turn)
    {
        lock (_turns)
            return _turns.ContainsKey(turn);
    }

    /// <summary>Cancels the turn of this id. Thread-safe.</summary>
    /// <returns>False if it neither waits nor runs.</returns>
    public bool Cancel(TurnId turn)
    {
        lock (_turns)
        {
            if (!_turns.TryGetValue(turn, out var live))
                return false;
            live.Cancel();
            return true;
        }
    }

    /// <summary>Ends a turn that an earlier owner left pending.</summary>
    /// <returns>False if it is not pending.</returns>
    public async Task<bool> EndPendingAsync(TurnId turn, OperationStatus status)
    {
        lock (_turns)
        {
            if (_turns.ContainsKey(turn))
                return false;
        }
        await Context.HeldAsync();
        return await services.Store.EndAsync(Context.Id, Context.Fence, turn.Value, status, CancellationToken.None)
            == WriteOutcome.Done;
    }

    /// <summary>Cuts the transcript after an item; the exact tokens before the cut stay.</summary>
    /// <returns>False if there is no such item.</returns>
    public async Task<bool> TruncateAsync(string lastItem)
    {
        var keep = Entries.FindIndex(e => e.Item.Id == lastItem) + 1;
        if (keep > 0 && keep < Entries.Count)
            await CommitAsync(null, keep, [], Tokens, State, default);
        return keep > 0;
    }

    /// <summary>The conversation up to an item (to its end with null), for a fork of it.</summary>
    /// <returns>Null if there is no such item.</returns>
    public Task<(List<Entry> Entries, int[] Tokens, ConversationState State)?> CopyAsync(string? lastItem)
    {
        var keep = lastItem is null ? Entries.Count : Entries.FindIndex(e => e.Item.Id == lastItem) + 1;
        return Task.FromResult<(List<Entry>, int[], ConversationState)?>(
            keep == 0 && lastItem is not null ? null : (Entries[..keep], Tokens, State));
    }

    /// <summary>Begins this conversation as a copy.</summary>
    /// <returns>False if it has begun already.</returns>
    public async Task<bool> AdoptAsync(List<Entry> entries, int[] tokens, ConversationState state)
    {
        if (Entries.Count > 0)
            return false;
        await CommitAsync(null, 0, entries, tokens, state, default);
        return true;
    }

    /// <summary>Writes the whole cache to the store, then gives the engine's part of it back.</summary>
    public async Task<bool> SpillAsync()
    {
        if (State.Model.Length == 0)
            return false;
        var model = services.Models.Require(State.Model);
        await _spiller.StopAsync(finish: true);
        if (!await _spiller.WriteAsync(model, Cache, Tokens, CancellationToken.None))
        {
            throw new TurnFailedException(TurnError.StoreUnavailable,
                "The cache could not be written to the store, and stays where it is; the silo's log says why.");
        }
        await model.Engine.DropAsync(Cache, CancellationToken.None);
        return true;
    }

    /// <summary>Reads the conversation again, because the store has more of it.</summary>
    internal async Task ReloadAsync(CancellationToken cancellationToken)
    {
        _ready = null;
        if (await services.Store.ReadAsync(Context.Id, cancellationToken) is { } stored)
        {
            Entries = [.. stored.Log.Select(Entry.FromBytes)];
            Tokens = TokenBytes.Read(stored.Journal);
            State = ConversationState.FromBytes(stored.Summary.State);
            AwaitClaims(stored.Pending);
        }
        await _spiller.LoadAsync(cancellationToken);
    }

    /// <summary>Makes the prompt of a turn that is about to come here, while it still runs elsewhere.</summary>
    internal void MakeReady(ChatTurn turn)
    {
        try
        {
            if (services.Models.Find(turn.Model) is { } model)
                _ready = (turn.Id, TurnPrompt.Of(this, turn, model, CancellationToken.None));
        }
        catch (Exception e) when (Failures.Of(e) is not null)
        {
            _ready = null; // The turn will say so itself.
        }
    }

    /// <summary>The prompt that was made ready for this turn.</summary>
    internal TurnPrompt? Ready(ChatTurn turn) => _ready is var (id, prompt) && id == turn.Id ? prompt : null;

    internal TurnPrompt? TakeReady(ChatTurn turn)
    {
        var ready = Ready(turn);
        _ready = null;
        return ready;
    }

    /// <summary>Lets the engine go on with a turn that runs elsewhere, before the conversation is this silo's.</summary>
    /// <returns>To be joined when it is, else to be ended.</returns>
    internal TurnRun BeginAhead(ChatTurn turn, TurnOrigin origin)
    {
        if (Ready(turn) is null)
            MakeReady(turn);
        var run = new TurnRun(this, turn, new LiveTurn(turn, Context.Lease, services.Time), origin);
        run.BeginAhead();
        return run;
    }

    /// <summary>Asks, once per activation, whether the silo that had the conversation before still holds more of its cache than
    /// this
    /// one.</summary>
    internal async Task<(CachePeer Peer, PulledSpill Spill)?> AskPreviousSiloAsync(
        ServedModel model, CancellationToken cancellationToken)
    {
        if (_askedBefore || Context.PreviousSilo is not { } silo || silo == Context.Silo
            || State.Fingerprint != model.Card.Fingerprint)
        {
            return null;
        }
        _askedBefore = true;
        var here = model.Engine.DescribeCache(Cache).Tokens;
        if (here >= Tokens.Length - 1 || services.Peers?.Find(silo) is not { } entry)
            return null;
        var peer = new CachePeer(services.Peers.Network, entry.Id, entry.Address, Context.Id, model.Card, services.Time);
        var held = Math.Min(await peer.CountAsync(cancellationToken), Tokens.Length);
        return held > here ? (peer, new PulledSpill(peer, Tokens.AsMemory(0, held), model.Engine.ChunkTokens)) : null;
    }

    /// <summary>Gives back what the engine holds of this conversation, and of so many choices of a suspended turn.</summary>
    internal async Task DropCachesAsync(int choices)
    {
        foreach (var model in services.Models.Served)
        {
            for (var choice = 1; choice < choices; choice++)
                await model.Engine.DropAsync(ChoiceSet.SiblingCache(Cache, choice), CancellationToken.None);
            await model.Engine.DropAsync(Cache, CancellationToken.None);
        }
    }

    protected override Task ActivateAsync(CancellationToken cancellationToken) => ReloadAsync(cancellationToken);

    protected override async Task DeactivateAsync(DeactivationReason reason)
    {
        var unended = Unended.Stop();
        await _spiller.StopAsync(finish: reason is DeactivationReason.Idle or DeactivationReason.Stopping);
        if (reason == DeactivationReason.Idle)
            await EndAllAsync(unended);
    }

    /// <summary>The next commit would be refused: the store has lost some of what this activation knows. A longer one is what a
    /// commit that is under way has made of it.</summary>
    protected override bool IsAheadOf(GrainSummary stored) =>
        stored.Length < Entries.Count || ConversationState.FromBytes(stored.State).Turns < State.Turns;

    protected override void Interrupt(DeactivationReason reason)
    {
        LiveTurn[] all;
        lock (_turns)
            all = [.. _turns.Values];
        // What another activation has may go on there.
        var cause = reason == DeactivationReason.Fenced ? CancelCause.Fenced : CancelCause.Interrupted;
        foreach (var turn in all)
            turn.Cancel(cause);
        _claims.End();
    }

    /// <summary>Writes a step and, once it is on disk, makes it this grain's state.</summary>
    /// <param name="turn">The pending turn that it commits; null for a step without one.</param>
    /// <exception cref="TurnFailedException">Somebody else owns the conversation.</exception>
    /// <exception cref="StoreException">The store failed; nothing is changed in memory.</exception>
    internal async Task CommitAsync(
        ChatTurn? turn, int keep, List<Entry> added, int[] tokens, ConversationState state, ReadOnlyMemory<byte> result)
    {
        var same = Tokens.AsSpan().CommonPrefixLength(tokens);
        List<Entry> entries = [.. Entries[..keep], .. added];
        var commit = new GrainCommit
        {
            Operation = turn?.Id.Value,
            Hash = turn?.BodyHash,
            Result = result,
            ExpectedLength = Entries.Count,
            Keep = keep,
            Append = added.ConvertAll(e => (ReadOnlyMemory<byte>)e.ToBytes()),
            JournalKeep = same * sizeof(int),
            JournalAppend = TokenBytes.Of(tokens.AsSpan(same)),
            State = state.ToBytes(),
            IndexKey = entries.Count == 0 ? null : HistoryHash.Of(state.Model, entries.Select(e => e.Item)),
        };
        var outcome = await CommitKnownAsync(commit);
        if (outcome is not (CommitOutcome.Done or CommitOutcome.Duplicate))
        {
            Context.Deactivate(outcome == CommitOutcome.Fenced ? DeactivationReason.Fenced : DeactivationReason.Uncertain);
            throw new TurnFailedException(Failures.Elsewhere);
        }
        (Entries, Tokens, State) = (entries, tokens, state);
    }

    /// <summary>Asks again when the store did not say whether it wrote: the turn's record tells.</summary>
    async Task<CommitOutcome> CommitKnownAsync(GrainCommit commit)
    {
        var began = services.Time.GetTimestamp();
        for (var asked = false; ; asked = true)
        {
            try
            {
                await Context.HeldAsync();
                return (await services.Store.CommitAsync(Context.Id, Context.Fence, commit, CancellationToken.None)).Outcome;
            }
            catch (Exception e) when (e is StoreException { OutcomeUnknown: true }
                || (asked && e is StoreException or OperationCanceledException))
            {
                if (commit.Operation is null || e is OperationCanceledException
                    || services.Time.GetElapsedTime(began) >= Limits.CommitDecision)
                {
                    Context.Deactivate(DeactivationReason.Uncertain);
                    throw new StoreException("The store did not say whether it wrote.", e, outcomeUnknown: true);
                }
            }
            await Task.Delay(Limits.CommitPause, services.Time);
        }
    }

    async Task<bool> RunAsync(TurnRun turn)
    {
        Current = turn;
        try
        {
            await turn.RunAsync();
        }
        finally
        {
            Current = null;
        }
        return true;
    }

    /// <summary>Gives the turns that an earlier owner left pending some time to be asked for; then they count as
    /// failed.</summary>
    void AwaitClaims(IReadOnlyList<StoredOperation> pending)
    {
        _claims = new PendingClaims(pending.Select(p => new TurnId(p.Id)), services.Time);
        Unended.Reset(pending.Select(p => new UnendedTurn(new TurnId(p.Id), OperationStatus.Failed)));
    }

    /// <returns>Those that stay pending: they are tried again, or the next activation sees to them.</returns>
    async Task<IReadOnlyList<UnendedTurn>> EndUnclaimedAsync(IReadOnlyList<UnendedTurn> turns)
    {
        try
        {
            return await Context.CallAsync(() => _gate.RunAsync(() => EndAllAsync(turns)));
        }
        catch (Exception e) when (Failures.Of(e) is { } failure)
        {
            TurnLog.LogUnclaimedStay(services.Logger, Context.Id, failure.Message);
            return turns;
        }
    }

    async Task<IReadOnlyList<UnendedTurn>> EndAllAsync(IReadOnlyList<UnendedTurn> turns)
    {
        List<UnendedTurn> left = [];
        foreach (var turn in turns)
        {
            try
            {
                await EndPendingAsync(turn.Id, turn.Status);
            }
            catch (StoreException e)
            {
                TurnLog.LogUnclaimedStay(services.Logger, Context.Id, e.Message);
                left.Add(turn);
            }
        }
        return left;
    }

    /// <summary>Tells the readers of a turn whose message was refused or broke, then forgets the turn.</summary>
    async Task EndAsync(TurnId id, LiveTurn live, Task run)
    {
        try
        {
            await run;
        }
        catch (Exception e)
        {
            if (Failures.Of(e) is null)
                TurnLog.LogTurnBroke(services.Logger, Context.Id, id.Value, e);
            live.Fail(Failures.Of(e) ?? Failures.Broke);
        }
        lock (_turns)
        {
            if (_turns.TryGetValue(id, out var known) && known == live)
                _turns.Remove(id);
        }
    }

    internal static TurnFailedException Conflict(TurnId id) => new(new TurnFailure(TurnError.IdempotencyConflict,
        $"The turn id {id} was used before with another request."));
}

/// <summary>What all conversations of a silo share.</summary>
sealed record ConversationServices(
    IGrainStore Store, IBlobStore Blobs, ChunkCodec Codec, bool Quantize, ModelCatalog Models, TimeProvider Time,
        SemaphoreSlim SpillLimit,
    ILogger Logger, SiloPeers? Peers)
{
    public RecentPrefixes Prefixes { get; } = new();
}

static partial class TurnLog
{
    static readonly Func<ILogger, string, string, string, string, IDisposable?> _scope =
        LoggerMessage.DefineScope<string, string, string, string>(
            "conversation {Conversation} turn {Turn} silo {Silo} trace {TraceId}");

    /// <summary>What everything that is logged for a turn says.</summary>
    public static IDisposable? Scope(ILogger logger, GrainId grain, ChatTurn turn, string silo) =>
        _scope(logger, grain.ToString(), turn.Id.Value, silo, GrainTraces.IdOf(turn.Trace));

    [LoggerMessage(EventId = 206, Level = LogLevel.Information, Message = "The store does not tell who owns {Grain}: {Reason}")]
    public static partial void LogOwnerUnknown(ILogger logger, GrainId grain, string reason);

    [LoggerMessage(EventId = 205, Level = LogLevel.Information,
        Message = "Turns of {Grain} that an earlier owner left could not be ended: {Reason}")]
    public static partial void LogUnclaimedStay(ILogger logger, GrainId grain, string reason);

    [LoggerMessage(EventId = 201, Level = LogLevel.Error, Message = "Turn {Turn} of {Grain} broke")]
    public static partial void LogTurnBroke(ILogger logger, GrainId grain, string turn, Exception exception);

    [LoggerMessage(EventId = 204, Level = LogLevel.Warning, Message = "Turn {Turn} of {Grain} was refused: {Reason}")]
    public static partial void LogStoreFailed(ILogger logger, string turn, GrainId grain, string reason);

    [LoggerMessage(EventId = 203, Level = LogLevel.Error, Message = "Completion {Turn} broke")]
    public static partial void LogCompletionBroke(ILogger logger, string turn, Exception exception);

    [LoggerMessage(EventId = 202, Level = LogLevel.Warning, Message = "The end of turn {Turn} of {Grain} could not be recorded")]
    public static partial void LogEndFailed(ILogger logger, GrainId grain, string turn, Exception exception);
}
