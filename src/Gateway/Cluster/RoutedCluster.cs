using System.Runtime.CompilerServices;
using Hearth.Actors.Membership;
using Hearth.Actors.Metrics;
using Hearth.Actors.Storage;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Microsoft.Extensions.Logging;

namespace Hearth.Gateway.Cluster;

/// <summary>The cluster as a gateway reaches it: each conversation at the silo that owns it, everything else at one that can. It
/// keeps nothing that another gateway would need. Dispose it before the watcher.</summary>
public sealed class RoutedCluster : ICluster, IAsyncDisposable
{
    readonly IGrainStore _store;
    readonly SiloTable _silos;
    readonly MembershipMetrics _membership;
    readonly RelayParts _parts;
    readonly Conversations _conversations;
    readonly CompletionRelay _completions;

    /// <param name="watcher">Started.</param>
    /// <param name="random">For placement; not shared with others.</param>
    public RoutedCluster(
        IGrainStore store, MembershipWatcher watcher, IPeerNetwork network, Random random, TimeProvider time, ILogger logger)
        : this(store, watcher, network, new RoutingOptions(), random, time, logger)
    {
    }

    internal RoutedCluster(IGrainStore store, MembershipWatcher watcher, IPeerNetwork network, RoutingOptions options,
        Random random, TimeProvider time, ILogger logger)
    {
        (_store, _membership) = (store, new MembershipMetrics(watcher));
        _silos = new SiloTable(watcher, random, time);
        var router = new Router(store, _silos, new OwnerCache(Limits.OwnersCached));
        _parts = new RelayParts(router, _silos, network, options, new RoutingMetrics(), time, logger);
        _conversations = new Conversations(_parts, store);
        _completions = new CompletionRelay(_parts);
    }

    public IReadOnlyList<ModelCard> Models => _silos.Models;

    public ClusterStatus Status
    {
        get
        {
            var load = _silos.TotalLoad();
            var (cause, reason) = !_silos.Watcher.IsCurrent ? (TurnError.StoreUnavailable, "the cluster's store does not answer")
                : !_silos.Active.Any(s => _silos.LoadOf(s).Models.Count > 0)
                    ? (TurnError.ModelLoading, "no silo serves a model yet")
                : (TurnError.None, $"serving from {_silos.Active.Count()} silos");
            return new ClusterStatus(cause == TurnError.None, true, reason, 1, load, cause);
        }
    }

    public IAsyncEnumerable<TurnEvent> RunTurnAsync(ChatTurn turn, CancellationToken cancellationToken) =>
        RelayAsync(new RunAsk(turn), cancellationToken);

    public IAsyncEnumerable<TurnEvent> AttachTurnAsync(TenantId tenant, ConversationId conversation, TurnId turn, int fromEvent,
        CancellationToken cancellationToken) =>
        RelayAsync(new AttachAsk(_store, tenant, conversation, turn, fromEvent), cancellationToken);

    public ValueTask<bool> CancelTurnAsync(
        TenantId tenant, ConversationId conversation, TurnId turn, CancellationToken cancellationToken) =>
        TellAsync(() => _conversations.CancelTurnAsync(tenant, conversation, turn, cancellationToken));

    public IAsyncEnumerable<TurnEvent> RunCompletionAsync(CompletionTurn turn, CancellationToken cancellationToken) =>
        _completions.RunAsync(turn, cancellationToken);

    public ValueTask<ConversationId?> FindByHistoryAsync(
        TenantId tenant, string historyHash, CancellationToken cancellationToken) => TellAsync<ConversationId?>(async () =>
        await _store.FindAsync(tenant.Value, historyHash, cancellationToken) is { } found
            ? new ConversationId(found.Name) : null);

    public async ValueTask<int[]> TokenizeAsync(
        string model, string text, bool addSpecialTokens, CancellationToken cancellationToken) =>
        [.. (await TextAsync(PeerMethods.Tokenize, new TextCall(model, text, addSpecialTokens, null, null), cancellationToken))
            .Tokens ?? []];

    public async ValueTask<int[]> TokenizeChatAsync(
        string model, IReadOnlyList<ConversationItem> items, CancellationToken cancellationToken) =>
        [.. (await TextAsync(PeerMethods.TokenizeChat, new TextCall(model, null, true, items, null), cancellationToken))
            .Tokens ?? []];

    public async ValueTask<string> DetokenizeAsync(
        string model, IReadOnlyList<int> tokens, CancellationToken cancellationToken) =>
        (await TextAsync(PeerMethods.Detokenize, new TextCall(model, null, false, null, tokens), cancellationToken)).Text ?? "";

    public ValueTask<IReadOnlyList<ConversationInfo>> ListConversationsAsync(
        TenantId tenant, int limit, CancellationToken cancellationToken) =>
        TellAsync(() => _conversations.ListAsync(tenant, limit, cancellationToken));

    public ValueTask<ConversationInfo?> DescribeConversationAsync(
        TenantId tenant, ConversationId id, CancellationToken cancellationToken) =>
        TellAsync(() => _conversations.DescribeAsync(tenant, id, cancellationToken));

    public ValueTask<ConversationInfo?> SpillConversationAsync(
        TenantId tenant, ConversationId id, CancellationToken cancellationToken) =>
        TellAsync(() => _conversations.SpillAsync(tenant, id, cancellationToken));

    public ValueTask<ConversationInfo?> MigrateConversationAsync(
        TenantId tenant, ConversationId id, string? silo, CancellationToken cancellationToken) =>
        TellAsync(() => _conversations.MigrateAsync(tenant, id, silo, cancellationToken));

    public ValueTask<IReadOnlyList<SiloInfo>> ListSilosAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<SiloInfo>>([.. _silos.Living.Select(_silos.Info)]);

    public async ValueTask<bool> DrainSiloAsync(string silo, CancellationToken cancellationToken)
    {
        if (_silos.Named(silo) is not { } named)
        {
            return false;
        }
        var answer = await AskAsync(named, PeerMethods.DrainSilo, () =>
            _parts.Network.DoneAsync(named, PeerMethods.DrainSilo, default, _parts.Options.Call, cancellationToken));
        return answer.Failure is { } failure ? throw new TurnFailedException(failure) : answer.Done;
    }

    public ValueTask<bool> DeleteConversationAsync(TenantId tenant, ConversationId id, CancellationToken cancellationToken) =>
        TellAsync(() => _conversations.DeleteAsync(tenant, id, cancellationToken));

    public async ValueTask DisposeAsync()
    {
        _parts.Metrics.Dispose();
        _membership.Dispose();
        await _silos.DisposeAsync();
    }

    async IAsyncEnumerable<TurnEvent> RelayAsync(TurnAsk ask, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var relay = new TurnRelay(_parts, ask, cancellationToken);
        while (await relay.NextAsync() is { } happened)
        {
            yield return happened;
        }
    }

    /// <summary>Asks one silo after the other that serves the model, until one can be reached.</summary>
    async ValueTask<TextAnswer> TextAsync(string method, TextCall call, CancellationToken cancellationToken)
    {
        var except = new HashSet<string>();
        var failure = new TurnFailure(TurnError.ModelLoading, $"No silo serves {call.Model} now.", "model", Limits.RetryAfter);
        while (_silos.Place(call.Model, 0, except) is { } silo && except.Add(silo.Id))
        {
            try
            {
                var answer = await AskAsync(silo, method, () =>
                    _parts.Network.TextAsync(silo, method, call, _parts.Options.Call, cancellationToken));
                return answer.Failure is { } refused ? throw new TurnFailedException(refused) : answer;
            }
            catch (TurnFailedException e) when (e.Failure.Error is TurnError.Fenced or TurnError.Draining)
            {
                failure = e.Failure;
            }
        }
        throw new TurnFailedException(failure);
    }

    async ValueTask<T> AskAsync<T>(SiloEntry silo, string method, Func<ValueTask<T>> call)
    {
        try
        {
            return await call();
        }
        catch (PeerException e)
        {
            ClusterLog.CallFailed(_parts.Logger, method, silo.Id, e.Fault, e.Message);
            throw new TurnFailedException(PeerFailures.Of(e));
        }
    }

    /// <summary>Says in the words of the contract that the store failed.</summary>
    async ValueTask<T> TellAsync<T>(Func<ValueTask<T>> call)
    {
        try
        {
            return await call();
        }
        catch (StoreException e)
        {
            ClusterLog.StoreFailed(_parts.Logger, e.Message);
            var error = e.OutcomeUnknown ? TurnError.OutcomeUnknown : TurnError.StoreUnavailable;
            throw new TurnFailedException(
                new TurnFailure(error, "The cluster's store does not answer.", null, Limits.RetryAfter));
        }
    }
}
