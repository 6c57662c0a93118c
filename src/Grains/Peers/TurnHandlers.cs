using Hearth.Actors;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Grains.Peers;

/// <summary>The calls that a turn's events answer. Who aborts one leaves the turn; whose connection breaks may come
/// back.</summary>
sealed class TurnHandlers(LocalCluster cluster)
{
    public Task RunAsync(PeerCall call, CancellationToken cancellationToken) => TellAsync(call, () =>
    {
        var (turn, from, shown, isNew) = PeerHandlers.Read(call.Request, ContractsJson.Default.RunTurnCall);
        Check(turn, from, shown);
        return (new GrainId(turn.Tenant.Value, turn.Conversation.Value), LocalCluster.ReadAsync(
            () => cluster.JoinAsync(turn, shown, isNew, cancellationToken), from, shown, () => IsLostAsync(call),
            cancellationToken));
    });

    public Task AttachAsync(PeerCall call, CancellationToken cancellationToken) => TellAsync(call, () =>
    {
        var (tenant, conversation, turn, from) = PeerHandlers.Read(call.Request, ContractsJson.Default.TurnCall);
        return (new GrainId(tenant.Value, conversation.Value), LocalCluster.ReadAsync(
            () => cluster.AttachAsync(tenant, conversation, turn, cancellationToken), from, [], () => IsLostAsync(call),
            cancellationToken));
    });

    public Task RunCompletionAsync(PeerCall call, CancellationToken cancellationToken) => TellAsync(call, () => (null,
        cluster.RunCompletionAsync(
            PeerHandlers.Read(call.Request, ContractsJson.Default.CompletionTurn), cancellationToken)));

    /// <summary>Sends the events as they come, as long as somebody hears them.</summary>
    async Task TellAsync(PeerCall call, Func<(GrainId? Conversation, IAsyncEnumerable<TurnEvent> Events)> open)
    {
        try
        {
            var (conversation, events) = open();
            await foreach (var e in events)
            {
                await PeerHandlers.SendAsync(call, await ForGatewayAsync(conversation, e), ContractsJson.Default.TurnEvent,
                    CancellationToken.None);
            }
        }
        catch (TurnFailedException e)
        {
            await PeerHandlers.SendAsync<TurnEvent>(call, new TurnFailed { Failure = e.Failure },
                ContractsJson.Default.TurnEvent, CancellationToken.None);
        }
        catch (Exception e) when (e is PeerException or OperationCanceledException)
        {
            // Nobody hears it: the turn was left, and knows how.
        }
    }

    static async ValueTask<bool> IsLostAsync(PeerCall call) => await PeerHandlers.FaultOfAsync(call) == PeerFault.Lost;

    /// <summary>A turn that ended because another activation has the conversation goes on there.</summary>
    async ValueTask<TurnEvent> ForGatewayAsync(GrainId? conversation, TurnEvent e) =>
        e is TurnFailed { Failure.Error: TurnError.Fenced or TurnError.Moved } failed && conversation is { } id
        && failed.Failure.Silo is null
            ? failed with { Failure = Failures.Moved(await cluster.FindOwnerElsewhereAsync(id)) }
            : e;

    static void Check(ChatTurn turn, int from, IReadOnlyList<TurnEvent> shown)
    {
        var fits = from >= 0 && (shown.Count == 0 || (shown.Count == from && shown[0] is TurnStarted
            && shown.Index().All(e => e.Item.Sequence == e.Index && e.Item is not (TurnFinished or TurnFailed)
                && (e.Item is TurnStarted) == (e.Index == 0)
                && (e.Item is not TurnDelta delta || (uint)delta.Choice < (uint)turn.Generation.Choices)
                && (e.Item is not ChoiceFinished choice || (uint)choice.Choice < (uint)turn.Generation.Choices))));
        if (!fits)
            throw new TurnFailedException(TurnError.Internal, "A peer's call shows events that are not a turn's beginning.");
    }
}
