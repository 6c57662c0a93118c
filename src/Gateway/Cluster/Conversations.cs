using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Gateway.Cluster;

/// <summary>What can be asked of a conversation beside its turns: from its owner where there is one, else from the
/// store.</summary>
sealed class Conversations(RelayParts parts, IGrainStore store)
{
    static readonly TimeSpan s_look = TimeSpan.FromSeconds(2);

    public async ValueTask<IReadOnlyList<ConversationInfo>> ListAsync(
        TenantId tenant, int limit, CancellationToken cancellationToken)
    {
        var stored = await store.ListAsync(tenant.Value, limit, cancellationToken);
        var list = new ConversationInfo[stored.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = Limits.AskedAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, list.Length, options, async (i, stop) =>
            list[i] = await LookAsync(tenant, stored[i], stop));
        return list;
    }

    public async ValueTask<ConversationInfo?> DescribeAsync(
        TenantId tenant, ConversationId id, CancellationToken cancellationToken) =>
        await store.DescribeAsync(Grain(tenant, id), cancellationToken) is { } summary
            ? await LookAsync(tenant, summary, cancellationToken) : null;

    public ValueTask<ConversationInfo?> SpillAsync(TenantId tenant, ConversationId id, CancellationToken cancellationToken) =>
        AskAsync(PeerMethods.SpillConversation, new ConversationCall(tenant, id), cancellationToken);

    /// <summary>The owner moves it. One that nobody has wakes up at its target.</summary>
    /// <exception cref="TurnFailedException">There is no such silo, or it was refused.</exception>
    public async ValueTask<ConversationInfo?> MigrateAsync(
        TenantId tenant, ConversationId id, string? silo, CancellationToken cancellationToken)
    {
        var target = silo is null ? null : parts.Silos.Named(silo) ?? throw new TurnFailedException(
            new TurnFailure(TurnError.InvalidRequest, "silo: there is no such silo; GET /admin/cluster lists them.", "silo"));
        var call = new ConversationCall(tenant, id, target?.Id);
        // The silo that had it knows that it has gone; what it is like now its new owner knows.
        return await AskAsync(PeerMethods.MigrateConversation, call, cancellationToken) is null
            ? null
            : await DescribeAsync(tenant, id, cancellationToken);
    }

    /// <summary>The tombstone comes first: whatever still runs cannot write any more. What silos hold is dropped by
    /// them.</summary>
    public async ValueTask<bool> DeleteAsync(TenantId tenant, ConversationId id, CancellationToken cancellationToken)
    {
        var location = await store.LocateAsync(Grain(tenant, id), cancellationToken);
        if (!await store.DeleteAsync(Grain(tenant, id), cancellationToken))
        {
            return false;
        }
        var holders = new[] { location?.Owner?.Silo, location?.LastSilo }.Distinct().Select(parts.Silos.Serving)
            .OfType<SiloEntry>().ToArray();
        // Somebody must remove the spilled cache, also when all who had it are gone.
        var told = holders.Length > 0 ? holders : [.. parts.Silos.Active.Take(1)];
        var call = JsonSerializer.SerializeToUtf8Bytes(new ConversationCall(tenant, id), ContractsJson.Default.ConversationCall);
        await Task.WhenAll(told.Select(silo => ForgetAsync(silo, call, cancellationToken)));
        return true;
    }

    public async ValueTask<bool> CancelTurnAsync(
        TenantId tenant, ConversationId id, TurnId turn, CancellationToken cancellationToken)
    {
        var call = JsonSerializer.SerializeToUtf8Bytes(new TurnCall(tenant, id, turn, 0), ContractsJson.Default.TurnCall);
        var owner = await OwnerAsync(Grain(tenant, id), cancellationToken)
            ?? await HeirAsync(tenant, id, turn, cancellationToken);
        for (var tries = 0; owner is not null && tries <= Limits.MovesAtOnce; tries++)
        {
            var answer = await ToldAsync(PeerMethods.CancelTurn, owner, () => parts.Network.DoneAsync(
                owner, PeerMethods.CancelTurn, call, parts.Options.Call, cancellationToken));
            if (answer.Failure is not { } failure)
            {
                return answer.Done;
            }
            owner = failure.Error == TurnError.Moved ? await NextOwnerAsync(Grain(tenant, id), failure, cancellationToken)
                : throw new TurnFailedException(failure);
        }
        return false;
    }

    /// <summary>Who may end a turn that a dead owner left; null if there is none.</summary>
    async ValueTask<SiloEntry?> HeirAsync(
        TenantId tenant, ConversationId id, TurnId turn, CancellationToken cancellationToken)
    {
        try
        {
            var ask = new AttachAsk(store, tenant, id, turn, 0);
            return (await parts.Router.LocateAsync(ask.Grain, ask.ModelAsync, 0, [], cancellationToken)).Route?.Silo;
        }
        catch (TurnFailedException e) when (e.Failure.Error == TurnError.ConversationNotFound)
        {
            return null;
        }
    }

    /// <summary>Asks the owner, or the silo that is to be it.</summary>
    async ValueTask<ConversationInfo?> AskAsync(string method, ConversationCall call, CancellationToken cancellationToken)
    {
        var grain = Grain(call.Tenant, call.Conversation);
        if (await store.DescribeAsync(grain, cancellationToken) is not { } summary)
        {
            return null;
        }
        var owner = await OwnerAsync(grain, cancellationToken);
        if (owner is null && method == PeerMethods.SpillConversation)
        {
            return Stored(summary); // nobody holds more of it than the store
        }
        var silo = owner ?? await TargetAsync(call, summary, cancellationToken);
        for (var tries = 0; tries <= Limits.MovesAtOnce; tries++)
        {
            var at = silo;
            var answer = await ToldAsync(method, at, () =>
                parts.Network.ConversationAsync(at, method, call, parts.Options.Silence, cancellationToken));
            switch (answer.Failure)
            {
                case null:
                    return answer.Conversation;
                case { Error: TurnError.Moved } moved:
                    silo = await NextOwnerAsync(grain, moved, cancellationToken) ?? silo;
                    break;
                case { } failure:
                    throw new TurnFailedException(failure);
            }
        }
        throw new TurnFailedException(new TurnFailure(
            TurnError.Fenced, "The conversation is moving between silos. Try again.", null, Limits.RetryAfter));
    }

    async ValueTask<SiloEntry> TargetAsync(ConversationCall call, GrainSummary summary, CancellationToken cancellationToken)
    {
        if (call.Silo is { } named)
        {
            return parts.Silos.Serving(named) ?? throw new TurnFailedException(
                new TurnFailure(TurnError.Draining, $"Silo {named} does not take conversations now.", null, Limits.RetryAfter));
        }
        var found = await parts.Router.LocateAsync(
            summary.Id, _ => ValueTask.FromResult<string?>(Heads.Of(summary).Model), 0, [], cancellationToken);
        return found.Route?.Silo ?? throw new TurnFailedException(new TurnFailure(
            TurnError.ModelLoading, "No silo serves this conversation's model now.", null, Limits.RetryAfter));
    }

    async ValueTask<SiloEntry?> OwnerAsync(GrainId grain, CancellationToken cancellationToken) =>
        parts.Silos.Serving((await store.LocateAsync(grain, cancellationToken))?.Owner?.Silo);

    async ValueTask<SiloEntry?> NextOwnerAsync(GrainId grain, TurnFailure moved, CancellationToken cancellationToken) =>
        parts.Silos.Serving(moved.Silo) ?? await OwnerAsync(grain, cancellationToken);

    async ValueTask<ConversationInfo> LookAsync(TenantId tenant, GrainSummary summary, CancellationToken cancellationToken)
    {
        if (parts.Silos.Serving(summary.Owner?.Silo) is { } owner)
        {
            try
            {
                var call = new ConversationCall(tenant, new ConversationId(summary.Id.Name));
                var answer = await parts.Network.ConversationAsync(
                    owner, PeerMethods.DescribeConversation, call, s_look, cancellationToken);
                if (answer.Conversation is { } live)
                {
                    return live;
                }
            }
            catch (PeerException e)
            {
                ClusterLog.CallFailed(parts.Logger, PeerMethods.DescribeConversation, owner.Id, e.Fault, e.Message);
            }
        }
        return Stored(summary);
    }

    static ConversationInfo Stored(GrainSummary summary) => new()
    {
        Id = summary.Id.Name,
        Silo = summary.Owner?.Silo ?? "",
        Epoch = summary.Epoch,
        State = "asleep",
        Turns = Heads.Of(summary).Turns,
        CachedTokens = summary.BlobUnits,
        Tier = summary.BlobUnits > 0 ? "disk" : "none",
        Bytes = summary.BlobBytes,
        SpilledTokens = summary.BlobUnits,
    };

    async Task ForgetAsync(SiloEntry silo, byte[] call, CancellationToken cancellationToken)
    {
        try
        {
            await parts.Network.DoneAsync(silo, PeerMethods.ForgetConversation, call, s_look, cancellationToken);
        }
        catch (PeerException e)
        {
            // The tombstone stands: the silo's next write is refused, and the cache in the store has an age.
            ClusterLog.CallFailed(parts.Logger, PeerMethods.ForgetConversation, silo.Id, e.Fault, e.Message);
        }
    }

    async ValueTask<T> ToldAsync<T>(string method, SiloEntry silo, Func<ValueTask<T>> call)
    {
        try
        {
            return await call();
        }
        catch (PeerException e)
        {
            ClusterLog.CallFailed(parts.Logger, method, silo.Id, e.Fault, e.Message);
            parts.Silos.Watcher.Suspect(silo.Id);
            throw new TurnFailedException(PeerFailures.Of(e));
        }
    }

    static GrainId Grain(TenantId tenant, ConversationId id) => new(tenant.Value, id.Value);
}

static class PeerFailures
{
    /// <summary>What a client is told when a call to a silo failed.</summary>
    public static TurnFailure Of(PeerException e) => e.Fault switch
    {
        PeerFault.Deadline => new TurnFailure(TurnError.DeadlineExceeded, "The silo did not answer in time."),
        PeerFault.Failed or PeerFault.Refused => new TurnFailure(TurnError.Internal, e.Message),
        _ => new TurnFailure(TurnError.Fenced, "The silo does not answer. Try again.", null, Limits.RetryAfter),
    };
}
