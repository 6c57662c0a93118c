using System.Diagnostics;
using System.Runtime.CompilerServices;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Grains.Caches;
using Hearth.Grains.Migration;
using Hearth.Grains.Prompts;
using Hearth.Grains.Replies;
using Hearth.Grains.Telemetry;
using Hearth.Grains.Transcripts;
using Microsoft.Extensions.Logging;

namespace Hearth.Grains;

/// <summary>A cluster of one silo: every conversation lives here. Dispose it before the engines: running turns end, and
/// caches are written.</summary>
public sealed class LocalCluster : ICluster, IAsyncDisposable
{
    readonly ConversationServices _services;
    readonly GrainHost<ConversationGrain> _host;
    readonly Lease _lease;
    readonly SiloPeers? _peers;
    readonly SemaphoreSlim _movesOut = new(Limits.MovesOut);
    volatile bool _stopping;

    public LocalCluster(GrainHostOptions options, IGrainStore store, IBlobStore blobs, ModelCatalog models, TimeProvider time,
        ILogger logger, SpillOptions? spill = null, SiloPeers? peers = null)
    {
        GrainMetrics.Begin();
        (_lease, _peers) = (options.Lease, peers);
        spill ??= SpillOptions.Exact;
        var codec = new ChunkCodec(spill.Compress, spill.Keys);
        _services = new ConversationServices(
            store, blobs, codec, spill.Quantize, models, time, new SemaphoreSlim(Limits.SpillsAtOnce), logger, peers);
        _host = new GrainHost<ConversationGrain>(
            options, store, context => new ConversationGrain(context, _services), time, logger);
        MovesIn = new MigrationTarget(_host, _services);
        Caches = new CacheKeeper(_host, _services);
    }

    internal MigrationTarget MovesIn { get; }
    internal CacheKeeper Caches { get; }

    /// <summary>What this silo tells of itself.</summary>
    public SiloLoad Load
    {
        get
        {
            var served = _services.Models.Served;
            var load = _services.Models.Status(_stopping).Load;
            return new SiloLoad
            {
                Models = [.. served.Select(m => m.Card.Name)],
                Activations = _host.Count,
                Running = load.Running,
                Waiting = load.Waiting,
                BlocksTotal = load.BlocksTotal,
                BlocksUsed = load.BlocksUsed,
                Counts = GrainMetrics.CountsWith(load),
                Prefixes = _services.Prefixes.Newest,
            };
        }
    }

    public IReadOnlyList<ModelCard> Models => [.. _services.Models.Served.Select(m => m.Card)];

    public ClusterStatus Status => _services.Models.Status(_stopping);

    public IAsyncEnumerable<TurnEvent> RunTurnAsync(ChatTurn turn, CancellationToken cancellationToken) =>
        ReadAsync(
            () => JoinAsync(
                turn with { Trace = turn.Trace ?? Activity.Current?.Id }, [], turn.IsIdDrawn, cancellationToken),
            0, [], () => ValueTask.FromResult(false), cancellationToken);

    public IAsyncEnumerable<TurnEvent> AttachTurnAsync(TenantId tenant, ConversationId conversation, TurnId turn, int fromEvent,
        CancellationToken cancellationToken) =>
        ReadAsync(() => AttachAsync(tenant, conversation, turn, cancellationToken), fromEvent, [],
            () => ValueTask.FromResult(false), cancellationToken);

    public ValueTask<bool> CancelTurnAsync(
        TenantId tenant, ConversationId conversation, TurnId turn, CancellationToken cancellationToken) => TellAsync(async () =>
    {
        var id = GrainOf(tenant, conversation);
        if (_host.Find(id)?.Cancel(turn) == true)
            return true;
        return await _services.Store.FindOperationAsync(id, turn.Value, cancellationToken) is { Status: OperationStatus.Pending }
            && await CallAsync(id, g => g.EndPendingAsync(turn, OperationStatus.Cancelled), cancellationToken);
    });

    public ValueTask<ConversationInfo?> MigrateConversationAsync(
        TenantId tenant, ConversationId id, string? silo, CancellationToken cancellationToken) => TellAsync(async () =>
    {
        var name = GrainOf(tenant, id);
        if (await _services.Store.DescribeAsync(name, cancellationToken) is null)
            return null;
        var grain = await _host.ActivateAsync(name, cancellationToken);
        var target = silo is null ? _peers?.Choose(grain.Model, [_host.Silo]) : _peers?.Find(silo);
        if (target is null)
        {
            throw new TurnFailedException(new TurnFailure(TurnError.InvalidRequest, silo is null
                ? "No other silo can take the conversation now." : $"There is no silo {silo}.", "silo"));
        }
        if (target.Id != _host.Silo
            && await MoveAsync(grain, target, "asked", cancellationToken) is { Silo: null, Reason: var reason })
        {
            throw new TurnFailedException(TurnError.Overloaded, $"The conversation stays where it is: {reason}.");
        }
        return await DescribeConversationAsync(tenant, id, cancellationToken);
    });

    /// <param name="reason">drain, balance or asked.</param>
    async Task<MoveResult> MoveAsync(
        ConversationGrain grain, SiloEntry target, string reason, CancellationToken cancellationToken)
    {
        await _movesOut.WaitAsync(cancellationToken);
        try
        {
            return await new MigrationSource(grain, _host.Silo, target, _peers!.Network).RunAsync(reason, cancellationToken);
        }
        finally
        {
            _movesOut.Release();
        }
    }

    public ValueTask<IReadOnlyList<SiloInfo>> ListSilosAsync(CancellationToken cancellationToken)
    {
        var load = Load;
        return ValueTask.FromResult<IReadOnlyList<SiloInfo>>([new SiloInfo
        {
            Id = _host.Silo,
            Address = "",
            Pid = Environment.ProcessId,
            Device = "",
            Models = load.Models,
            Status = _stopping ? "draining" : "active",
            Conversations = load.Activations,
            BlocksUsed = load.BlocksUsed,
            BlocksTotal = load.BlocksTotal,
            Running = load.Running,
            Waiting = load.Waiting,
            Counts = load.Counts,
        }]);
    }

    /// <summary>A silo by itself has nowhere to send its conversations: who stops the process drains it.</summary>
    public ValueTask<bool> DrainSiloAsync(string silo, CancellationToken cancellationToken) => silo != _host.Silo
        ? ValueTask.FromResult(false)
        : throw new TurnFailedException(TurnError.InvalidRequest,
            "There is no other silo that could take the conversations: stop the process, and they wait in its store.");

    public async IAsyncEnumerable<TurnEvent> RunCompletionAsync(
        CompletionTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var live = new LiveTurn(null, _lease, _services.Time);
        live.TryJoin();
        var run = CompletionRun.RunAsync(_services.Models, _host.Silo, turn, live, _services.Time, _services.Logger);
        try
        {
            await foreach (var e in live.ReadAsync(0, [], cancellationToken))
                yield return e;
        }
        finally
        {
            live.Leave();
            await run;
        }
    }

    public ValueTask<ConversationId?> FindByHistoryAsync(
        TenantId tenant, string historyHash, CancellationToken cancellationToken) => TellAsync<ConversationId?>(async () =>
        await _services.Store.FindAsync(tenant.Value, historyHash, cancellationToken) is { } found
            ? new ConversationId(found.Name)
            : null);

    public ValueTask<int[]> TokenizeAsync(
        string model, string text, bool addSpecialTokens, CancellationToken cancellationToken) => TellAsync(() =>
        ValueTask.FromResult(_services.Models.Require(model).Tokenizer.Encode(text, addSpecialTokens)));

    public ValueTask<int[]> TokenizeChatAsync(
        string model, IReadOnlyList<ConversationItem> items, CancellationToken cancellationToken) => TellAsync(() =>
    {
        var served = _services.Models.Require(model);
        var segments = PromptRenderer.Render(served, items, null, _services.Time.GetUtcNow(), cancellationToken);
        return ValueTask.FromResult(served.Tokenizer.Encode(segments));
    });

    public ValueTask<string> DetokenizeAsync(string model, IReadOnlyList<int> tokens, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_services.Models.Require(model).Tokenizer.Decode([.. tokens], skipSpecialTokens: false));

    public ValueTask<IReadOnlyList<ConversationInfo>> ListConversationsAsync(
        TenantId tenant, int limit, CancellationToken cancellationToken) => TellAsync<IReadOnlyList<ConversationInfo>>(
        async () => [.. (await _services.Store.ListAsync(tenant.Value, limit, cancellationToken)).Select(Describe)]);

    public ValueTask<ConversationInfo?> DescribeConversationAsync(
        TenantId tenant, ConversationId id, CancellationToken cancellationToken) => TellAsync(async () =>
        await _services.Store.DescribeAsync(GrainOf(tenant, id), cancellationToken) is { } summary ? Describe(summary) : null);

    public ValueTask<ConversationInfo?> SpillConversationAsync(
        TenantId tenant, ConversationId id, CancellationToken cancellationToken) => TellAsync(async () =>
    {
        var grain = GrainOf(tenant, id);
        if (await _services.Store.DescribeAsync(grain, cancellationToken) is null)
            return null;
        await CallAsync(grain, g => g.SpillAsync(), cancellationToken);
        return await DescribeConversationAsync(tenant, id, cancellationToken);
    });

    /// <summary>The tombstone comes first: whatever still runs cannot write any more.</summary>
    public ValueTask<bool> DeleteConversationAsync(
        TenantId tenant, ConversationId id, CancellationToken cancellationToken) => TellAsync(async () =>
    {
        var grain = GrainOf(tenant, id);
        if (!await _services.Store.DeleteAsync(grain, cancellationToken))
            return false;
        await ForgetConversationAsync(tenant, id);
        return true;
    });

    /// <summary>Drops all that this silo holds of a conversation whose tombstone is in the store.</summary>
    internal async Task ForgetConversationAsync(TenantId tenant, ConversationId id)
    {
        var grain = GrainOf(tenant, id);
        await _host.DeactivateAsync(grain, DeactivationReason.Deleted);
        foreach (var model in _services.Models.Served)
            await model.Engine.DropAsync(ConversationGrain.CacheOf(grain), CancellationToken.None);
        await _services.Blobs.ClearAsync(grain, CancellationToken.None);
    }

    /// <summary>Cuts a conversation after one of its items, as to edit or to ask again what follows it.</summary>
    /// <returns>False if the tenant has no such conversation, or it no such item.</returns>
    public ValueTask<bool> TruncateConversationAsync(
        TenantId tenant, ConversationId id, string lastItem, CancellationToken cancellationToken) => TellAsync(async () =>
        await _services.Store.DescribeAsync(GrainOf(tenant, id), cancellationToken) is not null
            && await CallAsync(GrainOf(tenant, id), g => g.TruncateAsync(lastItem), cancellationToken));

    /// <summary>Begins a conversation as the copy of another up to an item (to its end with null), with which it shares
    /// the cache.</summary>
    /// <returns>False if the source or its item does not exist, or the target has begun already.</returns>
    public ValueTask<bool> ForkConversationAsync(TenantId tenant, ConversationId source, ConversationId target, string? lastItem,
        CancellationToken cancellationToken) => TellAsync(async () =>
    {
        var (from, to) = (GrainOf(tenant, source), GrainOf(tenant, target));
        return await _services.Store.DescribeAsync(from, cancellationToken) is not null
            && await CallAsync(from, g => g.CopyAsync(lastItem), cancellationToken) is var (entries, tokens, state)
            && await CallAsync(to, g => g.AdoptAsync(entries, tokens, state), cancellationToken);
    });

    /// <summary>Ends every activation that the store does not name.</summary>
    public Task RevalidateAsync(CancellationToken cancellationToken) => _host.RevalidateAsync(cancellationToken);

    /// <summary>Goes on as another silo, with no activation.</summary>
    public Task RejoinAsync(string silo) => _host.RejoinAsync(silo);

    /// <summary>Takes no more conversations, and hands on those that are here, replies that run included; what nobody takes is
    /// let
    /// go once its replies are done.</summary>
    /// <exception cref="OperationCanceledException">The time is over; what is left is left.</exception>
    public Task<DrainReport> DrainAsync(IProgress<DrainReport>? progress, CancellationToken cancellationToken)
    {
        _stopping = true;
        _host.Close("The silo is being drained.");
        return Evacuation("drain").DrainAsync(progress, cancellationToken);
    }

    /// <summary>Conversations that have been here long enough to be moved for balance.</summary>
    public int Movable => _host.Live.Count(l => l.Grain.Age >= Actors.Limits.RebalanceStay);

    /// <summary>Moves some conversations to a silo that has more room, for balance.</summary>
    /// <returns>How many went.</returns>
    public Task<int> MoveSomeAsync(int count, SiloEntry target, CancellationToken cancellationToken) =>
        Evacuation("balance").MoveSomeAsync(count, target, cancellationToken);

    Evacuation Evacuation(string reason) => new(
        _host, _services, _peers, (grain, target, cancellationToken) => MoveAsync(grain, target, reason, cancellationToken));

    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        await _host.DisposeAsync();
        _services.SpillLimit.Dispose();
        _movesOut.Dispose();
    }

    /// <summary>Says in the words of the contract why a call failed.</summary>
    static async ValueTask<T> TellAsync<T>(Func<ValueTask<T>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (e is not (OperationCanceledException or TurnFailedException) && Failures.Of(e) is { } failure)
        {
            throw new TurnFailedException(failure);
        }
    }

    static GrainId GrainOf(TenantId tenant, ConversationId conversation) => new(tenant.Value, conversation.Value);

    /// <summary>Reads a turn's events for one reader.</summary>
    /// <param name="join">Counts the reader in, and gives the turn; or why not.</param>
    /// <param name="isLost">Asked when the reader leaves early: whether its connection only broke.</param>
    internal static async IAsyncEnumerable<TurnEvent> ReadAsync(Func<Task<Joined>> join, int fromEvent,
        IReadOnlyList<TurnEvent> shown,
        Func<ValueTask<bool>> isLost, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (live, stored, failure) = await join();
        if (failure is not null)
            yield return new TurnFailed { Failure = failure, Sequence = fromEvent };
        if (fromEvent > 0 && stored is [TurnStarted { IsAnew: true }, ..])
        {
            yield return new TurnFailed { Failure = Failures.Overtaken, Sequence = fromEvent };
            yield break;
        }
        foreach (var e in stored.Skip(fromEvent))
            yield return e;
        if (live is null)
            yield break;
        try
        {
            await foreach (var e in live.ReadAsync(fromEvent, shown, cancellationToken))
                yield return e;
        }
        finally
        {
            live.Leave(await isLost());
        }
    }

    /// <summary>Joins a turn, or begins it.</summary>
    /// <param name="shown">What its reader has seen of it, from the first event on: it goes on there.</param>
    /// <param name="isNew">Nobody can have begun it.</param>
    internal async Task<Joined> JoinAsync(
        ChatTurn turn, IReadOnlyList<TurnEvent> shown, bool isNew, CancellationToken cancellationToken)
    {
        EngineDoor.Place? place = null;
        try
        {
            var (id, model) = (GrainOf(turn.Tenant, turn.Conversation), _services.Models.Require(turn.Model));
            place = shown.Count == 0 ? model.Door.TryEnter() : null;
            if (place is null && shown.Count == 0 && await IsUnknownAsync(id, turn.Id, isNew, cancellationToken))
                return new Joined(Failures.NoRoom);
            var origin = TurnOrigin.New with { Shown = shown };
            return new Joined(await ActivateAsync(id, grain => grain.Join(turn, origin, place), cancellationToken));
        }
        catch (Exception e)
        {
            place?.Dispose();
            if (e is OperationCanceledException || Failures.Of(e) is not { } failure)
                throw;
            return new Joined(failure.Error == TurnError.ModelNotFound
                && await LetGoAsync(GrainOf(turn.Tenant, turn.Conversation), turn.Model, cancellationToken) is { } silo
                    ? Failures.Moved(silo)
                    : failure);
        }
    }

    /// <summary>Lets a conversation go whose next turn is for a model that only others serve. Its turns that run or wait come
    /// first.</summary>
    /// <returns>A silo that serves the model; null if there is none.</returns>
    async Task<string?> LetGoAsync(GrainId id, string model, CancellationToken cancellationToken)
    {
        if (_peers?.Choose(model, [_host.Silo]) is not { } target)
            return null;
        try
        {
            // An activation that ended without a word to the store is the owner still.
            if (_host.Find(id) is null
                && (await _services.Store.LocateAsync(id, cancellationToken))?.Owner?.Silo == _host.Silo)
            {
                await _host.ActivateAsync(id, cancellationToken);
            }
            await _host.DeactivateAsync(id, DeactivationReason.Idle).WaitAsync(cancellationToken);
            return target.Id;
        }
        catch (Exception e) when (e is StoreException or GrainRefusedException)
        {
            return null;
        }
    }

    /// <summary>Does it with the conversation's activation, or the next one if that has just been collected.</summary>
    async Task<LiveTurn> ActivateAsync(GrainId id, Func<ConversationGrain, LiveTurn> join, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return join(await _host.ActivateAsync(id, cancellationToken));
            }
            catch (GrainRefusedException e) when (e.Kind == RefusalKind.Gone && tries < Limits.ActivationTries)
            {
            }
        }
    }

    /// <summary>Whether nobody has begun the turn: to refuse it then costs no activation, and leaves nothing in
    /// the store.</summary>
    async ValueTask<bool> IsUnknownAsync(GrainId id, TurnId turn, bool isNew, CancellationToken cancellationToken) =>
        _host.Find(id)?.Knows(turn) != true
            && (isNew || await _services.Store.FindOperationAsync(id, turn.Value, cancellationToken) is null);

    /// <summary>Joins a turn that runs or waits; or reads it, if it is committed; or runs it as it was recorded, if its owner
    /// is dead.</summary>
    internal async Task<Joined> AttachAsync(
        TenantId tenant, ConversationId conversation, TurnId turn, CancellationToken cancellationToken)
    {
        try
        {
            var id = GrainOf(tenant, conversation);
            if (_host.Find(id)?.TryJoin(turn) is { } live)
                return new Joined(live);
            var stored = await _services.Store.FindOperationAsync(id, turn.Value, cancellationToken);
            switch (stored?.Status)
            {
                case OperationStatus.Committed:
                    GrainMetrics.Replayed();
                    return new Joined([.. TurnRecord.FromBytes(stored.Result ?? []).Select(TurnRecord.Replayed)]);
                case OperationStatus.Pending when StoredTurn.Of(stored) is { } recorded:
                    return await JoinAsync(recorded, [], false, cancellationToken);
                case OperationStatus.Cancelled:
                    return new Joined(Failures.Cancelled);
                case null when await FindOwnerElsewhereAsync(id) is { } silo:
                    return new Joined(Failures.Moved(silo));
                default:
                    return new Joined(Failures.NoSuchTurn(turn));
            }
        }
        catch (Exception e) when (e is not OperationCanceledException && Failures.Of(e) is not null)
        {
            return new Joined(Failures.Of(e)!);
        }
    }

    /// <summary>The silo that owns the conversation, if it is not this one; null too if the store does not tell.</summary>
    internal async ValueTask<string?> FindOwnerElsewhereAsync(GrainId id)
    {
        try
        {
            var owner = (await _services.Store.LocateAsync(id, CancellationToken.None))?.Owner;
            return owner?.Silo != _host.Silo ? owner?.Silo : null;
        }
        catch (StoreException e)
        {
            TurnLog.LogOwnerUnknown(_services.Logger, id, e.Message);
            return null;
        }
    }

    /// <summary>Runs a message in the conversation's turn, unless it moves away first.</summary>
    Task<T> CallAsync<T>(GrainId id, Func<ConversationGrain, Task<T>> message, CancellationToken cancellationToken) =>
        _host.CallAsync(id, grain => grain.Gate.RunAsync(() => message(grain)), cancellationToken);

    ConversationInfo Describe(GrainSummary summary)
    {
        var grain = _host.Find(summary.Id);
        var state = ConversationState.FromBytes(summary.State);
        var engine = _services.Models.Find(grain?.Model ?? state.Model)?.Engine;
        var held = engine?.DescribeCache(ConversationGrain.CacheOf(summary.Id)) ?? default;
        var onDisk = held.Tokens == 0 && summary.BlobUnits > 0;
        return new ConversationInfo
        {
            Id = summary.Id.Name,
            Silo = summary.Owner?.Silo ?? "",
            Epoch = summary.Epoch,
            State = grain?.Activity ?? "asleep",
            Turns = state.Turns,
            CachedTokens = onDisk ? summary.BlobUnits : held.Tokens,
            Tier = onDisk ? "disk" : held.Tier.ToString().ToLowerInvariant(),
            Bytes = onDisk ? summary.BlobBytes : held.Bytes,
            SpilledTokens = (int)summary.BlobUnits,
        };
    }
}
