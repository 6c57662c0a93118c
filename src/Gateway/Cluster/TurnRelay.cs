using System.Runtime.CompilerServices;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Microsoft.Extensions.Logging;

namespace Hearth.Gateway.Cluster;

/// <summary>What a relay needs of its cluster.</summary>
sealed record RelayParts(
    Router Router, SiloTable Silos, IPeerNetwork Network, RoutingOptions Options, RoutingMetrics Metrics, TimeProvider Time,
    ILogger Logger);

/// <summary>Carries one turn's events to its reader, from whichever silo has the turn: when a silo moves it, breaks off or dies,
/// the stream goes on from the next one, with no event left out or repeated. Disposing it aborts the call, which cancels the
/// turn.</summary>
sealed class TurnRelay(RelayParts parts, TurnAsk ask, CancellationToken cancellationToken) : IAsyncDisposable
{
    readonly HashSet<string> _except = [];
    SiloCall? _call;
    Route _route;
    MembershipView _view = MembershipView.Empty;
    string? _lastSilo;
    string? _hint;
    bool _ended;
    bool _isSettled;
    bool _delivered;
    bool _wasFree;
    string? _full;
    TurnFailure? _reason;
    int _tries;
    int _moves;
    int _waits;
    long _troubleSince;

    /// <summary>The next event; null after the last one.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<TurnEvent?> NextAsync()
    {
        while (!_ended)
        {
            TurnEvent? happened;
            try
            {
                happened = _call is null ? await ConnectAsync() : await ReceiveAsync();
            }
            catch (PeerException e)
            {
                happened = await BrokenAsync(e);
            }
            catch (StoreException e)
            {
                happened = await UnlocatedAsync(e);
            }
            catch (TurnFailedException e)
            {
                happened = End(e.Failure);
            }
            if (happened is not null)
            {
                _ended = happened is TurnFinished or TurnFailed;
                return happened;
            }
        }
        return null;
    }

    /// <returns>Null when a call is open, or another try makes sense; else the turn's end.</returns>
    async ValueTask<TurnEvent?> ConnectAsync()
    {
        var startedAt = parts.Time.GetTimestamp();
        _view = parts.Silos.View;
        var (found, isFree) = await RouteAsync();
        if (found is not { } route)
        {
            return await NowhereAsync(isFree);
        }
        if (route.Kind == RouteKind.Located && route.Silo.Id == _full)
        {
            return End(_reason!); // that was the owner: nobody else may have it
        }
        (_route, _isSettled) = (route, false);
        _call = await SiloCall.OpenAsync(parts, route.Silo, ask.Call, cancellationToken);
        if (_lastSilo is null)
        {
            parts.Metrics.Routed(route.Kind, parts.Time.GetElapsedTime(startedAt));
        }
        else if (_lastSilo != route.Silo.Id && (_delivered || ask.Next > 0))
        {
            parts.Metrics.TakenOver();
            ClusterLog.TakenOver(parts.Logger, ask.Turn.Value, _lastSilo, route.Silo.Id, ask.Next);
        }
        _lastSilo = route.Silo.Id;
        return null;
    }

    async ValueTask<Located> RouteAsync()
    {
        if (_hint is { } hint)
        {
            _hint = null;
            if (parts.Silos.Serving(hint) is { } named)
            {
                return new Located(new Route(named, RouteKind.Moved), false);
            }
        }
        if (_tries == 0 && parts.Router.Cached(ask.Grain) is { } cached)
        {
            return new Located(cached, false);
        }
        var except = ask is { IsNew: true, Model: { } model } ? [.. _except, .. parts.Silos.Full(model)] : _except;
        if (_wasFree)
        {
            _wasFree = false; // a moment ago: whoever has claimed it since says so
            return new Located(parts.Router.Place(ask.Model!, ask.Prefix, except), true);
        }
        return await parts.Router.LocateAsync(ask.Grain, ask.ModelAsync, ask.Prefix, except, cancellationToken);
    }

    /// <returns>Null when the message was not for the reader.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<TurnEvent?> ReceiveAsync()
    {
        if (await _call!.ReceiveAsync() is not { } message)
        {
            return ask.Beyond is { } beyond ? End(beyond)
                : throw new PeerException(PeerFault.Lost, "The silo ended the turn's stream before the turn.");
        }
        TurnEvent happened;
        using (message)
        {
            happened = EventReader.Read(message.Memory.Span);
            if (happened is not TurnFailed)
            {
                if (happened.Sequence != ask.Next)
                {
                    return happened.Sequence < ask.Next ? null : throw new PeerException(PeerFault.Failed,
                        $"The silo sent event {happened.Sequence} where {ask.Next} comes next.");
                }
                ask.Saw(message.Memory.Span);
            }
        }
        if (happened is TurnFailed failed)
        {
            return await FailedAsync(failed.Failure);
        }
        if (!_isSettled)
        {
            parts.Router.Seen(ask.Grain, _route);
            _isSettled = true;
            (_tries, _moves, _waits, _delivered) = (0, 0, 0, false);
            _except.Clear();
        }
        return happened;
    }

    /// <summary>A silo's refusal is the turn's end, unless another silo may take it.</summary>
    async ValueTask<TurnEvent?> FailedAsync(TurnFailure failure)
    {
        var isOwner = _route.Kind is RouteKind.Located or RouteKind.Moved;
        switch (failure.Error)
        {
            case TurnError.Moved:
            case TurnError.Fenced:
            case TurnError.Draining when isOwner:
                ask.MayHaveBegun();
                parts.Metrics.Redirected();
                parts.Router.Forget(ask.Grain, _route.Silo.Id);
                _hint = failure.Silo != _route.Silo.Id ? failure.Silo : null;
                return ++_moves > Limits.MovesMax
                    ? End(Unsettled("The conversation is moving between silos."))
                    : await AgainAsync(Unsettled("The conversation is moving to another silo."),
                        wait: _hint is null || _moves > Limits.MovesAtOnce);
            case TurnError.Draining or TurnError.Overloaded or TurnError.ModelLoading or TurnError.ModelNotFound
                when !isOwner && ask.Next == 0:
                parts.Router.Forget(ask.Grain, _route.Silo.Id);
                if (failure.Error == TurnError.Overloaded)
                {
                    _full = _route.Silo.Id;
                }
                _wasFree = _route.Kind == RouteKind.Placed && ask.Model is not null;
                if (_wasFree && failure.Error == TurnError.Overloaded)
                {
                    parts.Silos.WasFull(_route.Silo, ask.Model!);
                }
                return _except.Add(_route.Silo.Id) ? await AgainAsync(failure, wait: false) : End(failure);
            default:
                return End(failure);
        }
    }

    async ValueTask<TurnEvent?> BrokenAsync(PeerException broken)
    {
        var silo = _route.Silo.Id;
        parts.Metrics.Broke(broken.Fault);
        if (_tries == 0)
        {
            ClusterLog.Broken(parts.Logger, ask.Turn.Value, silo, broken.Fault, broken.Message);
        }
        switch (broken.Fault)
        {
            case PeerFault.Unreachable:
            case PeerFault.Lost:
            case PeerFault.Aborted:
                if (broken.Fault != PeerFault.Unreachable)
                {
                    _delivered = true;
                    ask.MayHaveBegun();
                }
                parts.Silos.Watcher.Suspect(silo);
                parts.Router.Forget(ask.Grain, silo);
                // What nobody has yet can go elsewhere at once; what a silo may have is its own until it is dead.
                var free = _route.Kind == RouteKind.Placed && broken.Fault == PeerFault.Unreachable && _except.Add(silo);
                return await AgainAsync(Unsettled("The silo of this conversation does not answer."), wait: !free && _tries > 0);
            case PeerFault.Refused when _route.Kind == RouteKind.Placed && _except.Add(silo):
                return await AgainAsync(Unsettled("The silo does not take this gateway's calls."), wait: false);
            case PeerFault.Deadline:
                return End(new TurnFailure(TurnError.DeadlineExceeded, broken.Message));
            default:
                return End(new TurnFailure(TurnError.Internal, broken.Message));
        }
    }

    ValueTask<TurnEvent?> UnlocatedAsync(StoreException e)
    {
        ClusterLog.StoreFailed(parts.Logger, e.Message);
        var failure = new TurnFailure(
            TurnError.StoreUnavailable, "The cluster's store does not answer.", null, Limits.RetryAfter);
        return _lastSilo is null ? ValueTask.FromResult<TurnEvent?>(End(failure)) : AgainAsync(failure, wait: true);
    }

    /// <summary>No silo can have the turn now. One that no silo has seen is refused; another one waits for better
    /// times.</summary>
    ValueTask<TurnEvent?> NowhereAsync(bool isFree)
    {
        var failure = _reason
            ?? (ask is { IsNew: true, Model: { } model } && parts.Silos.Full(model).Any()
                ? new TurnFailure(TurnError.Overloaded, "No silo has room for another turn now.", null, Limits.RetryAfter)
                : new TurnFailure(
                    TurnError.ModelLoading, "No silo serves this conversation's model now.", null, Limits.RetryAfter));
        if (isFree && !_delivered && ask.Next == 0)
        {
            return ValueTask.FromResult<TurnEvent?>(End(failure));
        }
        _except.Clear();
        return AgainAsync(failure, wait: true);
    }

    async ValueTask<TurnEvent?> AgainAsync(TurnFailure reason, bool wait)
    {
        await DropAsync();
        _reason = reason;
        if (_tries++ == 0)
        {
            _troubleSince = parts.Time.GetTimestamp();
        }
        var left = parts.Options.Recovery - parts.Time.GetElapsedTime(_troubleSince);
        if (left <= TimeSpan.Zero)
        {
            return End(reason);
        }
        if (wait)
        {
            await PauseAsync(left);
        }
        return null;
    }

    /// <summary>Waits a while, or until the membership is another one than that which led here.</summary>
    async ValueTask PauseAsync(TimeSpan most)
    {
        var pause = parts.Options.RetryFirst * Math.Pow(2, Math.Min(_waits++, 16));
        pause = new[] { pause, parts.Options.RetryMax, most }.Min();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(
            parts.Silos.Watcher.NextAsync(_view, over.Token), Task.Delay(pause, parts.Time, over.Token));
        await over.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>A turn that a silo may have run to its end is not called failed.</summary>
    TurnFailed End(TurnFailure failure)
    {
        var unknown = _delivered && failure.Error is TurnError.Fenced or TurnError.StoreUnavailable or TurnError.ModelLoading;
        return new TurnFailed
        {
            Sequence = ask.Next,
            Failure = !unknown ? failure : new TurnFailure(TurnError.OutcomeUnknown,
                $"The silo of turn {ask.Turn} was lost, and how the turn ended is not known yet: send it again with the same "
                + $"Idempotency-Key, or ask GET /v1/conversations/{ask.Conversation}/turns/{ask.Turn}/events.",
                null, failure.RetryAfter),
        };
    }

    static TurnFailure Unsettled(string what) => new(TurnError.Fenced, what + " Try again.", null, Limits.RetryAfter);

    async ValueTask DropAsync()
    {
        if (_call is { } call)
        {
            _call = null;
            await call.DisposeAsync();
        }
    }

    public ValueTask DisposeAsync() => DropAsync();
}
