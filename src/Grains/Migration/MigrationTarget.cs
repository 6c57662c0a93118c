using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Hearth.Grains.Peers;
using Hearth.Grains.Telemetry;
using Microsoft.Extensions.Logging;

namespace Hearth.Grains.Migration;

/// <summary>Takes conversations that other silos move here. Nothing that came is kept unless the store says that ownership came
/// too;
/// if the source falls silent at the last moment, the store is asked.</summary>
sealed partial class MigrationTarget(GrainHost<ConversationGrain> host, ConversationServices services)
{
    int _running;

    /// <summary>Answers <see cref="PeerMethods.MoveIn"/>.</summary>
    public async Task HandleAsync(PeerCall call, CancellationToken cancellationToken)
    {
        try
        {
            if (Interlocked.Increment(ref _running) > Limits.MovesIn)
                await AnswerAsync(call, new MoveAnswer("too many conversations move here already"), cancellationToken);
            else
                await ReceiveAsync(call, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    async Task ReceiveAsync(PeerCall call, CancellationToken cancellationToken)
    {
        var offer = JsonSerializer.Deserialize(call.Request.Span, MigrationJson.Default.MoveOffer);
        var (grain, refusal) = await PrepareAsync(offer, cancellationToken);
        if (grain is null)
        {
            GrainMetrics.MovedIn("refused");
            await AnswerAsync(call, new MoveAnswer(refusal), cancellationToken);
            return;
        }
        using var span = GrainTraces.MoveIn(offer!.Conversation, offer.Trace, host.Silo, offer.Silo);
        var move = new IncomingMove(call, offer!, grain, services);
        long? epoch = null;
        var givenUp = false;
        try
        {
            epoch = await move.RunAsync(cancellationToken);
        }
        catch (Exception e) when (e is PeerException or OperationCanceledException or StoreException or JsonException
            or MoveRefusedException)
        {
            givenUp = e is PeerException or OperationCanceledException
                && await PeerHandlers.FaultOfAsync(call) == PeerFault.Aborted;
            LogNotTaken(services.Logger, grain.Context.Id, offer!.Silo, e.Message);
        }
        finally
        {
            if (epoch is null && move.IsReady)
                epoch = await AskStoreAsync(grain.Context, offer!, givenUp);
            var taken = epoch is { } granted && Start(move, granted);
            GrainMetrics.MovedIn(taken ? "taken" : "dropped");
            if (!taken)
            {
                await move.EndAheadAsync();
                await grain.DropCachesAsync(choices: 1);
                host.Abandon(grain.Context.Id, grain.Context.Fence.Activation);
            }
        }
        if (epoch is not null && !cancellationToken.IsCancellationRequested)
            await AnswerAsync(call, new MoveAnswer(null), cancellationToken);
    }

    bool Start(IncomingMove move, long epoch)
    {
        var context = move.Grain.Context;
        move.TakeUp();
        return host.TryStart(context.Id, context.Fence.Activation, epoch);
    }

    async Task<(ConversationGrain? Grain, string? Refusal)> PrepareAsync(MoveOffer? offer, CancellationToken cancellationToken)
    {
        if (offer is not { Version: 1 })
            return (null, "another version of Hearth");
        if (offer.Target != host.Silo)
            return (null, $"it is {host.Silo}, not {offer.Target}");
        if (offer.Model.Length > 0 && services.Models.Find(offer.Model) is not { } served)
            return (null, $"it does not serve {offer.Model}");
        if (offer.Model.Length > 0 && services.Models.Find(offer.Model)!.Card.Fingerprint != offer.Fingerprint)
            return (null, $"its {offer.Model} is another model");
        try
        {
            var grain = await host.PrepareAsync(new GrainId(offer.Tenant, offer.Conversation), cancellationToken);
            return (grain, "the conversation is active here");
        }
        catch (Exception e) when (e is GrainRefusedException or StoreException)
        {
            return (null, e.Message);
        }
    }

    /// <summary>The source fell silent when this silo was ready: did it hand over?</summary>
    /// <param name="givenUp">It said that it would not: what the store says now is what counts.</param>
    /// <returns>The epoch of this activation; null if it did not come to own the conversation, or nobody can tell.</returns>
    async Task<long?> AskStoreAsync(GrainContext context, MoveOffer offer, bool givenUp)
    {
        var began = services.Time.GetTimestamp();
        while (services.Time.GetElapsedTime(began) < Limits.MoveDecision)
        {
            try
            {
                var owner = (await services.Store.LocateAsync(context.Id, CancellationToken.None))?.Owner;
                if (owner?.Activation == context.Fence.Activation)
                    return owner.Epoch;
                if (givenUp || owner?.Activation != offer.Activation)
                    return null;
            }
            catch (StoreException e)
            {
                LogNotTaken(services.Logger, context.Id, offer.Silo, e.Message);
            }
            await Task.Delay(Limits.MoveAskAgain, services.Time);
        }
        // A hand-over that comes later is seen when somebody asks for the conversation: it is activated anew then.
        return null;
    }

    static ValueTask AnswerAsync(PeerCall call, MoveAnswer answer, CancellationToken cancellationToken) =>
        call.SendAsync(JsonSerializer.SerializeToUtf8Bytes(answer, MigrationJson.Default.MoveAnswer), cancellationToken);

    [LoggerMessage(EventId = 225, Level = LogLevel.Information,
        Message = "{Grain} did not come from {Silo} as announced: {Reason}")]
    static partial void LogNotTaken(ILogger logger, GrainId grain, string silo, string reason);
}

/// <summary>One conversation on its way in.</summary>
sealed class IncomingMove(PeerCall call, MoveOffer offer, ConversationGrain grain, ConversationServices services)
{
    readonly List<int> _tokens = [];
    readonly List<TurnEvent> _events = [];
    readonly CacheId _cache = ConversationGrain.CacheOf(grain.Context.Id);
    ChatTurn? _turn;
    MoveState? _state;
    TurnRun? _ahead;
    bool _cancelled;

    public ConversationGrain Grain => grain;

    /// <summary>Whether the source may have handed over by now.</summary>
    public bool IsReady { get; private set; }

    /// <returns>The epoch that was granted.</returns>
    public async Task<long> RunAsync(CancellationToken cancellationToken)
    {
        await AnswerAsync(null, cancellationToken);
        while (true)
        {
            var step = await HearAsync(cancellationToken);
            switch (step)
            {
                case { Commit: { } commit } when IsReady:
                    _cancelled = commit.IsCancelled;
                    return commit.Epoch;
                case not null when IsReady:
                    throw new MoveRefusedException("a message after the last one");
                case { Part: { } part }:
                    await AnswerAsync(await ImportAsync(part, cancellationToken), cancellationToken);
                    break;
                case { Turn: { } turn }:
                    (_turn, _state) = (turn, null);
                    _events.Clear();
                    grain.MakeReady(turn);
                    break;
                case { Events: { } events }:
                    _events.AddRange(events);
                    break;
                case { State: { } state }:
                    await TakeStateAsync(state, cancellationToken);
                    break;
                default:
                    throw new MoveRefusedException("a message out of order");
            }
        }
    }

    /// <summary>Queues what runs and what waits, before anything that asks for the conversation from now on.</summary>
    public void TakeUp()
    {
        if (_state!.IsRunning)
            TakeUp(_turn!, RunningOrigin, _ahead, _cancelled);
        foreach (var turn in _state.Waiting)
            TakeUp(turn, TurnOrigin.New, ahead: null, cancelled: false);
    }

    /// <summary>There was no hand-over: returns when the engine has let go of what it began ahead.</summary>
    public Task EndAheadAsync() => _ahead?.EndAheadAsync() ?? Task.CompletedTask;

    TurnOrigin RunningOrigin => new(_events, _state!.Held, IsBegun: true);

    void TakeUp(ChatTurn turn, TurnOrigin origin, TurnRun? ahead, bool cancelled)
    {
        var live = grain.Join(turn, origin, ahead: ahead);
        if (cancelled)
            live.Cancel();
        live.Leave(lost: true);
    }

    async Task TakeStateAsync(MoveState state, CancellationToken cancellationToken)
    {
        if (state.IsRunning && _turn is null)
            throw new MoveRefusedException("a state without its turn");
        if (state.Waiting.Count > Actors.Limits.MailboxMessages)
            throw new MoveRefusedException("more turns wait than may");
        _events.AddRange(state.Events);
        if (state.IsRunning && _events.Count != state.EventCount)
            throw new MoveRefusedException("events are missing");
        _state = state;
        if (!IsAsStored(state))
            await grain.ReloadAsync(cancellationToken);
        if (!IsAsStored(state))
        {
            await AnswerAsync("the store shows another conversation", cancellationToken);
            throw new MoveRefusedException("the store shows another conversation");
        }
        if (state.IsRunning)
            _ahead = grain.BeginAhead(_turn!, RunningOrigin);
        IsReady = true;
        await call.SendAsync(JsonSerializer.SerializeToUtf8Bytes(
            new MoveAnswer(null, grain.Context.Fence.Activation), MigrationJson.Default.MoveAnswer), cancellationToken);
    }

    bool IsAsStored(MoveState state) =>
        (grain.State.Turns, grain.Entries.Count, grain.Tokens.Length) == (state.Turns, state.Entries, state.Tokens);

    async Task<string?> ImportAsync(MovePart part, CancellationToken cancellationToken)
    {
        using var blob = await ReceiveAsync(cancellationToken);
        GrainMetrics.MovedBytes("in", blob.Memory.Length);
        if (services.Models.Find(offer.Model) is not { } model || part.First > _tokens.Count)
            return "a gap";
        _tokens.RemoveRange(part.First, _tokens.Count - part.First);
        _tokens.AddRange(part.Tokens);
        return await model.Engine.ImportAsync(
            _cache, offer.Scope, _tokens.ToArray(), part.First, blob.Memory, cancellationToken);
    }

    async Task<MoveStep> HearAsync(CancellationToken cancellationToken)
    {
        using var message = await ReceiveAsync(cancellationToken);
        return JsonSerializer.Deserialize(message.Memory.Span, MigrationJson.Default.MoveStep)
            ?? throw new MoveRefusedException("an empty message");
    }

    async ValueTask<PeerMessage> ReceiveAsync(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Limits.MoveStep, services.Time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        return await call.ReceiveAsync(stop.Token) ?? throw new MoveRefusedException("the source hung up");
    }

    ValueTask AnswerAsync(string? reason, CancellationToken cancellationToken) => call.SendAsync(
        JsonSerializer.SerializeToUtf8Bytes(new MoveAnswer(reason), MigrationJson.Default.MoveAnswer), cancellationToken);
}
