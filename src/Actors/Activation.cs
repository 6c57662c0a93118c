using System.Threading.Channels;
using Hearth.Actors.Storage;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors;

/// <summary>A grain's bounded mailbox and the one loop that runs its messages in order.</summary>
sealed partial class Activation<TGrain>(IGrainStore store, Func<string, bool> siloIsGone, ILogger logger)
    : GrainContext where TGrain : Grain
{
    readonly Channel<Message> _mailbox = Channel.CreateBounded<Message>(
        new BoundedChannelOptions(Limits.MailboxMessages) { SingleReader = true });
    readonly TaskCompletionSource<TGrain> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Lock _lock = new();
    DeactivationReason? _leaving;
    TGrain? _grain;
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

    public override Task<T> CallAsync<T>(Func<Task<T>> message)
    {
        var reply = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var queued = new Message(() => RunMessageAsync(message, reply), e => reply.TrySetException(e));
        if (!_mailbox.Writer.TryWrite(queued))
        {
            reply.SetException(Leaving
                ? new GrainRefusedException(RefusalKind.Gone, $"The activation of {Id} is ending.")
                : new GrainRefusedException(RefusalKind.Busy, $"{Limits.MailboxMessages} messages wait for {Id} already."));
        }

        return reply.Task;
    }

    public override void Deactivate(DeactivationReason reason)
    {
        lock (_lock)
        {
            if (_leaving is null or DeactivationReason.Idle)
                _leaving = reason;
        }
        _mailbox.Writer.TryComplete();
        if (reason != DeactivationReason.Idle)
            _grain?.Interrupt(reason);
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
        catch (Exception e)
        {
            Deactivate(DeactivationReason.Uncertain);
            Refuse(e);
            _started.SetException(e);
            _ = _started.Task.Exception; // it has been told to every message; nobody else need be waiting
        }
        if (_grain is not null)
        {
            await RunMessagesAsync();
            await LeaveAsync(_grain);
        }
        _ended.SetResult();
    }

    /// <summary>Claims the grain in the store. An owner is replaced only if its silo is known to be gone, or is this one:
    /// then it is an activation that has ended here and could not let go.</summary>
    async Task AcquireAsync()
    {
        var activation = Fence.NewActivation();
        var result = await store.AcquireAsync(Id, Silo, activation, null, CancellationToken.None);
        if (result is { Outcome: AcquireOutcome.Owned, Owner: { } owner } && (owner.Silo == Silo || siloIsGone(owner.Silo)))
            result = await store.AcquireAsync(Id, Silo, activation, owner.Activation, CancellationToken.None);
        Fence = result.Outcome switch
        {
            AcquireOutcome.Acquired => new Fence(result.Epoch, activation),
            AcquireOutcome.Deleted => throw new GrainRefusedException(RefusalKind.Deleted, $"{Id} was deleted."),
            _ => throw new GrainRefusedException(RefusalKind.OwnedElsewhere, $"{Id} is owned by silo {result.Owner?.Silo}."),
        };
    }

    async Task RunMessagesAsync()
    {
        while (await _mailbox.Reader.WaitToReadAsync())
        {
            while (_mailbox.Reader.TryRead(out var message))
            {
                DeactivationReason? leaving;
                lock (_lock)
                    (_working, leaving) = (true, _leaving);
                // Messages that were accepted before an idle end still run; any other end turns them away.
                if (leaving is null or DeactivationReason.Idle)
                    await message.RunAsync();
                else
                    message.Refuse(RefusalFor(leaving.Value));
                lock (_lock)
                    (_working, _lastUsed) = (false, Time.GetTimestamp());
            }
        }
    }

    async Task LeaveAsync(TGrain grain)
    {
        var reason = _leaving ?? DeactivationReason.Idle;
        try
        {
            await grain.DeactivateAsync(reason);
            if (reason is not (DeactivationReason.Fenced or DeactivationReason.Deleted))
                await store.ReleaseAsync(Id, Fence, CancellationToken.None);
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
        DeactivationReason.Stopping => new(RefusalKind.Stopping, "The silo is stopping."),
        _ => new(RefusalKind.Gone, $"The activation of {Id} has ended."),
    };

    static async Task RunMessageAsync<T>(Func<Task<T>> message, TaskCompletionSource<T> reply)
    {
        try
        {
            reply.SetResult(await message());
        }
        catch (OperationCanceledException e)
        {
            reply.SetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            reply.SetException(e);
        }
    }

    readonly record struct Message(Func<Task> RunAsync, Action<Exception> Refuse);

    [LoggerMessage(EventId = 100, Level = LogLevel.Warning,
        Message = "Activation of {Grain} ended ({Reason}), but could not let go of everything")]
    static partial void LogLeaveFailed(ILogger logger, GrainId grain, DeactivationReason reason, Exception exception);
}
