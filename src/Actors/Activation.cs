using System.Threading.Channels;
using Hearth.Actors.Membership;
using Hearth.Actors.Metrics;
using Hearth.Actors.Storage;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors;

/// <summary>A grain's bounded mailbox and the one loop that runs its messages in order. It begins in one of two ways: it claims
/// the grain in the store (<see cref="Start"/>), or it is made ready for a hand-over (<see cref="PrepareAsync"/>, then
/// <see cref="TryStart"/>).</summary>
sealed partial class Activation<TGrain>(
    IGrainStore store, Func<string, CancellationToken, ValueTask<bool>> siloIsGone, ILogger logger)
    : GrainContext where TGrain : Grain
{
    readonly Channel<Message> _mailbox = Channel.CreateBounded<Message>(
        new BoundedChannelOptions(Limits.MailboxMessages) { SingleReader = true });
    readonly TaskCompletionSource<TGrain> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly TaskCompletionSource _mustEnd = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Lock _lock = new();
    DeactivationReason? _leaving;
    string? _heir;
    TGrain? _grain;
    bool _prepared;
    bool _working;
    long _lastUsed;

    /// <summary>Completes when the grain has its state, or with the reason why it cannot.</summary>
    public Task<TGrain> Started => _started.Task;

    /// <summary>Completes when the loop has ended and ownership is given back.</summary>
    public Task Ended => _ended.Task;

    public bool Leaving
    {
        get
        {
            lock (_lock)
                return _leaving is not null;
        }
    }

    /// <summary>How long no message has run; zero while one runs or waits.</summary>
    public TimeSpan Idle
    {
        get
        {
            lock (_lock)
            {
                return _working || _mailbox.Reader.Count > 0 || !_started.Task.IsCompleted
                    ? TimeSpan.Zero
                    : Time.GetElapsedTime(_lastUsed);
            }
        }
    }

    public void Start(Func<GrainContext, TGrain> create)
    {
        _lastUsed = Time.GetTimestamp();
        _ = RunAsync(create);
    }

    /// <summary>Loads the grain for a hand-over: nothing runs until <see cref="TryStart"/>.</summary>
    public async Task<TGrain> PrepareAsync(Func<GrainContext, TGrain> create, CancellationToken cancellationToken)
    {
        Fence = new Fence(0, Fence.NewActivation());
        lock (_lock)
            _prepared = true;
        try
        {
            _grain = create(this);
            await _grain.ActivateAsync(cancellationToken);
            return _grain;
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    /// <summary>The hand-over is done: takes the epoch that it granted, and runs.</summary>
    /// <returns>False if the activation was given up meanwhile.</returns>
    public bool TryStart(long epoch)
    {
        lock (_lock)
        {
            if (!_prepared)
                return false;
            _prepared = false;
        }
        Fence = Fence with { Epoch = epoch };
        ActorMetrics.Created("hand_over");
        _lastUsed = Time.GetTimestamp();
        _started.SetResult(_grain!);
        _ = RunMessagesToEndAsync(_grain!);
        return true;
    }

    /// <summary>There was no hand-over: ends as if it had never been.</summary>
    public void Abandon()
    {
        lock (_lock)
        {
            if (!_prepared)
                return;
            _prepared = false;
            _leaving ??= DeactivationReason.Uncertain;
        }
        _mailbox.Writer.TryComplete();
        var gone = new GrainRefusedException(RefusalKind.Gone, $"{Id} was not handed over.");
        Refuse(gone);
        _started.SetException(gone);
        _ = _started.Task.Exception; // nobody else need be waiting
        _ended.SetResult();
    }

    public override Task<T> CallAsync<T>(Func<Task<T>> message)
    {
        var reply = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var queued = new Message(() => RunMessageAsync(message, reply), e => reply.TrySetException(e));
        if (!_mailbox.Writer.TryWrite(queued))
        {
            reply.SetException(Ending is DeactivationReason.HandedOver ? RefusalFor(DeactivationReason.HandedOver)
                : Leaving ? new GrainRefusedException(RefusalKind.Gone, $"The activation of {Id} is ending.")
                : new GrainRefusedException(RefusalKind.Busy, $"{Limits.MailboxMessages} messages wait for {Id} already."));
        }

        return reply.Task;
    }

    public override async ValueTask HeldAsync()
    {
        if (Lease.IsHeld)
            return;
        var held = Lease.HeldAsync(CancellationToken.None).AsTask();
        if (await Task.WhenAny(held, _mustEnd.Task) != held)
            throw new OperationCanceledException($"The activation of {Id} must end.");
        await held;
    }

    public override void Deactivate(DeactivationReason reason)
    {
        bool prepared;
        lock (_lock)
        {
            if (_leaving is null or DeactivationReason.Idle)
                _leaving = reason;
            prepared = _prepared;
        }
        _mailbox.Writer.TryComplete();
        if (prepared)
        {
            Abandon();
        }
        else if (reason != DeactivationReason.Idle)
        {
            _mustEnd.TrySetResult();
            _grain?.Interrupt(reason);
        }
    }

    public override void HandOver(string silo)
    {
        lock (_lock)
            _heir = silo;
        Deactivate(DeactivationReason.HandedOver);
    }

    async Task RunAsync(Func<GrainContext, TGrain> create)
    {
        try
        {
            await AcquireAsync();
            var grain = create(this);
            await grain.ActivateAsync(CancellationToken.None);
            Volatile.Write(ref _grain, grain);
            _started.SetResult(grain);
        }
        catch (Exception failure)
        {
            ActorMetrics.Failed(failure);
            Deactivate(DeactivationReason.Uncertain);
            var e = failure is OperationCanceledException ? RefusalFor(_leaving!.Value) : failure;
            Refuse(e);
            _started.SetException(e);
            _ = _started.Task.Exception; // it has been told to every message; nobody else need be waiting
        }
        if (_grain is not null)
            await RunMessagesToEndAsync(_grain);
        else
            _ended.SetResult();
    }

    /// <summary>Claims the grain in the store. An owner is replaced only if its silo is known to be gone, or is this one:
    /// then it is an activation that has ended here and could not let go.</summary>
    async Task AcquireAsync()
    {
        var activation = Fence.NewActivation();
        await HeldAsync();
        var via = "claim";
        var result = await store.AcquireAsync(Id, Silo, activation, null, CancellationToken.None);
        if (result is { Outcome: AcquireOutcome.Owned, Owner: { } owner }
            && (owner.Silo == Silo || await siloIsGone(owner.Silo, CancellationToken.None)))
        {
            await HeldAsync();
            via = "takeover";
            result = await store.AcquireAsync(Id, Silo, activation, owner.Activation, CancellationToken.None);
        }
        if (result.Outcome == AcquireOutcome.Acquired)
            ActorMetrics.Created(via);
        else if (result.Outcome == AcquireOutcome.Owned)
            ActorMetrics.Conflicted();
        PreviousSilo = result.PreviousSilo;
        Fence = result.Outcome switch
        {
            AcquireOutcome.Acquired => new Fence(result.Epoch, activation),
            AcquireOutcome.Deleted => throw new GrainRefusedException(RefusalKind.Deleted, $"{Id} was deleted."),
            _ => throw new GrainRefusedException(
                RefusalKind.OwnedElsewhere, $"{Id} is owned by silo {result.Owner?.Silo}.", result.Owner?.Silo),
        };
    }

    async Task RunMessagesToEndAsync(TGrain grain)
    {
        await RunMessagesAsync();
        await LeaveAsync(grain);
        _ended.SetResult();
    }

    async Task RunMessagesAsync()
    {
        while (await _mailbox.Reader.WaitToReadAsync())
        {
            while (_mailbox.Reader.TryRead(out var message))
            {
                lock (_lock)
                    _working = true;
                Action answer = await MayRunAsync() is { } refusal ? () => message.Refuse(refusal) : await message.RunAsync();
                lock (_lock)
                    (_working, _lastUsed) = (false, Time.GetTimestamp());
                // Last, so that who has the answer finds the activation at rest.
                answer();
            }
        }
    }

    /// <summary>Waits for the lease. Messages that were accepted before an idle end still run; any other end turns them
    /// away.</summary>
    /// <returns>Null if the next message may run.</returns>
    async ValueTask<GrainRefusedException?> MayRunAsync()
    {
        try
        {
            if (Ending is null)
                await HeldAsync();
        }
        catch (LeaseLostException e)
        {
            return new GrainRefusedException(RefusalKind.Fenced, e.Message);
        }
        catch (OperationCanceledException)
        {
            // The end that cancelled it says why, below.
        }
        return Ending is { } reason ? RefusalFor(reason) : null;
    }

    DeactivationReason? Ending
    {
        get
        {
            lock (_lock)
                return _leaving is DeactivationReason.Idle ? null : _leaving;
        }
    }

    async Task LeaveAsync(TGrain grain)
    {
        var reason = _leaving ?? DeactivationReason.Idle;
        ActorMetrics.Ended(reason);
        try
        {
            await grain.DeactivateAsync(reason);
            // Without the lease nothing is written: whoever comes next names this activation as its predecessor.
            if (reason is not (DeactivationReason.Fenced or DeactivationReason.Deleted or DeactivationReason.HandedOver)
                && Lease.IsHeld)
            {
                await store.ReleaseAsync(Id, Fence, CancellationToken.None);
            }
        }
        catch (Exception e)
        {
            // The next activation names this one as its predecessor or waits for this silo's end.
            LogLeaveFailed(logger, Id, reason, e);
        }
    }

    void Refuse(Exception reason)
    {
        while (_mailbox.Reader.TryRead(out var message))
            message.Refuse(reason);
    }

    GrainRefusedException RefusalFor(DeactivationReason reason) => reason switch
    {
        DeactivationReason.Deleted => new(RefusalKind.Deleted, $"{Id} was deleted."),
        DeactivationReason.Fenced => new(RefusalKind.Fenced, $"{Id} has moved to another activation."),
        DeactivationReason.HandedOver => new(RefusalKind.OwnedElsewhere, $"{Id} has moved to silo {_heir}.", _heir),
        DeactivationReason.Stopping => new(RefusalKind.Stopping, "The silo is stopping."),
        _ => new(RefusalKind.Gone, $"The activation of {Id} has ended."),
    };

    /// <returns>What tells the caller how it went.</returns>
    static async Task<Action> RunMessageAsync<T>(Func<Task<T>> message, TaskCompletionSource<T> reply)
    {
        try
        {
            var result = await message();
            return () => reply.SetResult(result);
        }
        catch (OperationCanceledException e)
        {
            return () => reply.SetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            return () => reply.SetException(e);
        }
    }

    readonly record struct Message(Func<Task<Action>> RunAsync, Action<Exception> Refuse);

    [LoggerMessage(EventId = 100, Level = LogLevel.Warning,
        Message = "Activation of {Grain} ended ({Reason}), but could not let go of everything")]
    static partial void LogLeaveFailed(ILogger logger, GrainId grain, DeactivationReason reason, Exception exception);
}
