using System.Diagnostics;
using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Hearth.Grains.Telemetry;
using Microsoft.Extensions.Logging;

namespace Hearth.Grains.Migration;

/// <summary>Moves one conversation away: 1 offer it, 2 send its cache while it goes on, 3 hold it and send the rest, 4 wait
/// until the
/// target is ready, 5 hand ownership over in the store, 6 tell the target. Before 5 whatever fails leaves the conversation
/// here, as if
/// nothing had been; after it the target has it. For one move.</summary>
sealed partial class MigrationSource(ConversationGrain grain, string silo, SiloEntry target, IPeerNetwork network)
{
    readonly ConversationServices _services = grain.Services;
    readonly ITokenEngine? _engine = grain.Model is { Length: > 0 } model ? grain.Services.Models.Find(model)?.Engine : null;
    PeerCall _call = null!;
    ChatTurn? _turnSent;
    int _eventsSent;
    int _tokensSent;
    string? _cacheRefused;

    /// <summary>Parts that are not answered yet: from where on their tokens would have to be sent again.</summary>
    readonly Queue<int> _ahead = [];

    /// <param name="reason">drain, balance or asked.</param>
    /// <exception cref="GrainRefusedException">The conversation has moved already.</exception>
    /// <exception cref="OperationCanceledException">It stays.</exception>
    public async Task<MoveResult> RunAsync(string reason, CancellationToken cancellationToken)
    {
        using var span = GrainTraces.Move(grain, silo, target.Id, reason);
        var (running, began) = (grain.Current is not null, _services.Time.GetTimestamp());
        var result = await TryAsync(cancellationToken);
        GrainMetrics.Moved(result.Result, reason, running, _services.Time.GetElapsedTime(began), result.Pause);
        span?.SetTag("hearth.result", result.Result);
        return result;
    }

    async Task<MoveResult> TryAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await MoveAsync(cancellationToken);
        }
        catch (Exception e) when (e is PeerException or StoreException or MoveRefusedException or LeaseLostException
                or JsonException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            var reason = e is OperationCanceledException ? $"a step took longer than {Limits.MoveStep.TotalSeconds:0} s"
                : e.Message;
            LogStayed(_services.Logger, grain.Context.Id, target.Id, reason);
            return new MoveResult(null, reason)
            {
                Result = e is OperationCanceledException ? "timeout" : e is MoveRefusedException ? "refused" : "failed",
            };
        }
    }

    async Task<MoveResult> MoveAsync(CancellationToken cancellationToken)
    {
        var fence = grain.Context.Fence;
        var offer = new MoveOffer(grain.Context.Id.Scope, grain.Context.Id.Name, silo, target.Id, fence.Activation,
            _engine is null ? "" : grain.Model, _engine?.Model.Fingerprint ?? "", grain.Scope)
        {
            Trace = Activity.Current?.Id,
        };
        var request = JsonSerializer.SerializeToUtf8Bytes(offer, MigrationJson.Default.MoveOffer);
        await using var call = await StepAsync(
            stop => network.OpenAsync(target.Address, PeerMethods.MoveIn, request, new PeerCallOptions { Bulk = true }, stop),
            cancellationToken);
        _call = call;
        Accept(await HearAsync(cancellationToken));
        await CopyAheadAsync(cancellationToken);

        await StepAsync(stop => new ValueTask<bool>(FreezeAsync(stop)), cancellationToken);
        var held = _services.Time.GetTimestamp();
        var choices = grain.Current?.Turn.Generation.Choices ?? 1;
        string? owner = null;
        try
        {
            var activation = await SendRestAsync(cancellationToken);
            var epoch = await HandOverAsync(activation);
            owner = target.Id;
            // From here on the target has it, told or not.
            await TellAsync(() => SendAsync(new MoveStep(Commit: new MoveCommit(epoch,
                grain.Current?.Live.Cancellation.IsCancellationRequested == true)), CancellationToken.None));
        }
        finally
        {
            grain.Gate.Thaw(owner);
        }
        var result = new MoveResult(target.Id, null, _tokensSent, _services.Time.GetElapsedTime(held));
        LogMoved(_services.Logger, grain.Context.Id, target.Id, result.Tokens, result.Pause.TotalMilliseconds);
        grain.Context.HandOver(target.Id);
        await grain.DropCachesAsync(choices);
        // The call must live until the target has heard.
        await TellAsync(async () => (await HearAsync(CancellationToken.None)).Reason is null);
        return result;
    }

    /// <summary>Sends what there is until little is left, while the conversation goes on.</summary>
    async Task CopyAheadAsync(CancellationToken cancellationToken)
    {
        var began = _services.Time.GetTimestamp();
        var waited = 0;
        while (_services.Time.GetElapsedTime(began) < Limits.MoveAhead && waited < Limits.MoveWaits)
        {
            await SendTurnAsync(cancellationToken);
            if (_engine is null || _cacheRefused is not null
                || _engine.DescribeCache(grain.Cache).Tokens - FirstUnsent < _engine.BlockTokens)
            {
                // The reply goes on meanwhile: what is on its way is not waited for while it is held.
                if (_ahead.Count == 0)
                    return;
                await HearPartAsync(cancellationToken);
                continue;
            }
            if (await SendPartAsync(grain.KnownTokens, cancellationToken))
                continue;
            // The engine is ahead of what is known here: for a moment.
            waited++;
            await Task.Delay(Limits.MoveWait, _services.Time, cancellationToken);
        }
        await HearPartsAsync(cancellationToken);
    }

    async Task<bool> FreezeAsync(CancellationToken cancellationToken)
    {
        await grain.Gate.FreezeAsync(cancellationToken);
        return true;
    }

    /// <returns>The activation at the target that is ready to go on.</returns>
    async Task<string> SendRestAsync(CancellationToken cancellationToken)
    {
        await grain.Spiller.StopAsync(finish: false);
        await TellTurnAsync(cancellationToken);
        var turn = grain.Current;
        var known = turn?.AllTokens ?? grain.Tokens;
        while (_engine is not null && _cacheRefused is null && _tokensSent < _engine.DescribeCache(grain.Cache).Tokens
            && await SendPartAsync(known, cancellationToken))
        {
        }
        RequireRight(turn);
        var waiting = grain.Live.Where(l => l != turn?.Live && !l.Cancellation.IsCancellationRequested).Select(l => l.Turn!);
        var events = turn?.Live.Events ?? [];
        await SendAsync(new MoveStep(State: new MoveState(
            grain.State.Turns, grain.Entries.Count, grain.Tokens.Length, turn is not null,
            turn is null ? [] : events[_eventsSent..], events.Count, turn?.HeldBack ?? [], [.. waiting])), cancellationToken);
        await HearPartsAsync(cancellationToken);
        var ready = await HearAsync(cancellationToken);
        Accept(ready);
        RequireRight(turn);
        return ready.Activation ?? throw new MoveRefusedException("the target named no activation");
    }

    /// <summary>Tells of the running turn, and of its events so far.</summary>
    async Task SendTurnAsync(CancellationToken cancellationToken)
    {
        await TellTurnAsync(cancellationToken);
        if (grain.Current is not { } turn || turn.Turn.Id != _turnSent?.Id)
            return;
        var events = turn.Live.Events[_eventsSent..];
        if (events.Count == 0)
            return;
        _eventsSent += events.Count;
        await SendAsync(new MoveStep(Events: events), cancellationToken);
    }

    async Task TellTurnAsync(CancellationToken cancellationToken)
    {
        if (grain.Current is not { } turn || turn.Turn.Id == _turnSent?.Id)
            return;
        (_turnSent, _eventsSent) = (turn.Turn, 0);
        await SendAsync(new MoveStep(Turn: turn.Turn), cancellationToken);
    }

    /// <summary>Sends the next part, while the target still takes the one before.</summary>
    /// <returns>False if no part could be sent now.</returns>
    async Task<bool> SendPartAsync(int[] known, CancellationToken cancellationToken)
    {
        while (_ahead.Count >= Limits.MovePartsAhead)
            await HearPartAsync(cancellationToken);
        var first = FirstUnsent;
        using var part = _cacheRefused is null
            ? await _engine!.ExportPartAsync(grain.Cache, first, PartTokens(), cancellationToken)
            : null;
        if (part is null || first + part.Tokens > known.Length || first + part.Tokens <= _tokensSent)
        {
            return false;
        }
        await SendAsync(new MoveStep(Part: new MovePart(first, known[first..(first + part.Tokens)])), cancellationToken);
        await StepAsync(async stop =>
        {
            await _call.SendAsync(part.Blob, stop);
            return true;
        }, cancellationToken);
        GrainMetrics.MovedBytes("out", part.Blob.Length);
        _ahead.Enqueue(_tokensSent);
        _tokensSent = first + part.Tokens;
        return true;
    }

    /// <summary>Where the next part begins: with the block that was not sent whole.</summary>
    int FirstUnsent => _tokensSent / _engine!.BlockTokens * _engine.BlockTokens;

    int PartTokens()
    {
        var held = _engine!.DescribeCache(grain.Cache);
        var tokens = Limits.MovePartBytes / Math.Max(1, held.Bytes / Math.Max(1, held.Tokens));
        return (int)Math.Max(1, tokens / _engine.BlockTokens) * _engine.BlockTokens;
    }

    async Task HearPartsAsync(CancellationToken cancellationToken)
    {
        while (_ahead.Count > 0)
            await HearPartAsync(cancellationToken);
    }

    /// <summary>Hears what came of the oldest part that is on its way. After a refusal none counts that came behind it.</summary>
    async Task HearPartAsync(CancellationToken cancellationToken)
    {
        var before = _ahead.Dequeue();
        if ((await HearAsync(cancellationToken)).Reason is not { } reason || _cacheRefused is not null)
            return;
        (_cacheRefused, _tokensSent) = (reason, before);
        LogCacheStays(_services.Logger, grain.Context.Id, target.Id, reason);
    }

    /// <summary>The commit point. Its outcome is asked for until it is known; until then the conversation is nobody's to
    /// run.</summary>
    /// <returns>The new owner's epoch.</returns>
    async Task<long> HandOverAsync(string activation)
    {
        var (id, fence) = (grain.Context.Id, grain.Context.Fence);
        try
        {
            var given = await _services.Store.HandOverAsync(
                id, fence, target.Id, activation, grain.Current?.Turn.Id.Value, CancellationToken.None);
            return given.Outcome == AcquireOutcome.Acquired ? given.Epoch : throw Lost(given.Outcome);
        }
        catch (StoreException e) when (e.OutcomeUnknown)
        {
            LogUnknown(_services.Logger, id, target.Id, e.Message);
        }
        while (true)
        {
            await grain.Context.HeldAsync();
            try
            {
                var owner = (await _services.Store.LocateAsync(id, CancellationToken.None))?.Owner;
                if (owner?.Activation == activation)
                    return owner.Epoch;
                throw owner?.Activation == fence.Activation
                    ? new MoveRefusedException("the store did not take the hand-over")
                    : Lost(AcquireOutcome.Fenced);
            }
            catch (StoreException)
            {
                await Task.Delay(Limits.MoveAskAgain, _services.Time);
            }
        }
    }

    MoveRefusedException Lost(AcquireOutcome outcome)
    {
        grain.Context.Deactivate(outcome == AcquireOutcome.Deleted ? DeactivationReason.Deleted : DeactivationReason.Fenced);
        return new MoveRefusedException($"the conversation is no longer this silo's ({outcome})");
    }

    async Task TellAsync(Func<ValueTask<bool>> tell)
    {
        try
        {
            await tell();
        }
        catch (Exception e) when (e is PeerException or OperationCanceledException or MoveRefusedException or JsonException)
        {
            LogUntold(_services.Logger, grain.Context.Id, target.Id, e.Message);
        }
    }

    /// <summary>Between the steps: the silo may act, and there is something to move.</summary>
    void RequireRight(TurnRun? turn)
    {
        if (!grain.Context.Lease.IsHeld)
            throw new MoveRefusedException("this silo's lease has run out");
        if (turn?.Live.Cancellation.IsCancellationRequested == true)
            throw new MoveRefusedException("the running turn was cancelled");
    }

    static void Accept(MoveAnswer answer)
    {
        if (answer.Reason is { } reason)
            throw new MoveRefusedException($"the target refused: {reason}");
    }

    ValueTask<bool> SendAsync(MoveStep step, CancellationToken cancellationToken) => StepAsync(async stop =>
    {
        await _call.SendAsync(JsonSerializer.SerializeToUtf8Bytes(step, MigrationJson.Default.MoveStep), stop);
        return true;
    }, cancellationToken);

    ValueTask<MoveAnswer> HearAsync(CancellationToken cancellationToken) => StepAsync(async stop =>
    {
        using var message = await _call.ReceiveAsync(stop) ?? throw new MoveRefusedException("the target hung up");
        return JsonSerializer.Deserialize(message.Memory.Span, MigrationJson.Default.MoveAnswer)
            ?? throw new MoveRefusedException("the target said nothing");
    }, cancellationToken);

    /// <summary>Does one step in its time.</summary>
    async ValueTask<T> StepAsync<T>(Func<CancellationToken, ValueTask<T>> step, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Limits.MoveStep, _services.Time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        return await step(stop.Token);
    }

    [LoggerMessage(EventId = 220, Level = LogLevel.Warning, Message = "{Grain} could not move to {Silo} and stays: {Reason}")]
    static partial void LogStayed(ILogger logger, GrainId grain, string silo, string reason);

    [LoggerMessage(EventId = 224, Level = LogLevel.Debug,
        Message = "{Grain} moved to {Silo} with {Tokens} tokens, and was held for {Pause:F1} ms")]
    static partial void LogMoved(ILogger logger, GrainId grain, string silo, int tokens, double pause);

    [LoggerMessage(EventId = 221, Level = LogLevel.Information, Message = "{Grain} moves to {Silo} without its cache: {Reason}")]
    static partial void LogCacheStays(ILogger logger, GrainId grain, string silo, string reason);

    [LoggerMessage(EventId = 222, Level = LogLevel.Warning,
        Message = "The store did not say whether {Grain} was handed over to {Silo}, and is asked again: {Reason}")]
    static partial void LogUnknown(ILogger logger, GrainId grain, string silo, string reason);

    [LoggerMessage(EventId = 223, Level = LogLevel.Information,
        Message = "{Grain} is {Silo}'s, which could not be told and will find out: {Reason}")]
    static partial void LogUntold(ILogger logger, GrainId grain, string silo, string reason);
}

/// <summary>A move that ends without one.</summary>
sealed class MoveRefusedException(string message) : Exception(message);
