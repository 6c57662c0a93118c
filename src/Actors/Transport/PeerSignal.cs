using System.Threading.Tasks.Sources;

namespace Hearth.Actors.Transport;

/// <summary>An event for one waiter that resets itself, without an allocation per wait. What is awaited is looked at again after
/// it: it may be set for nothing.</summary>
sealed class PeerSignal : IValueTaskSource
{
    readonly Lock _gate = new();
    ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };
    CancellationTokenRegistration _registration;
    bool _set;
    bool _waiting;

    public ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ValueTask wait;
        lock (_gate)
        {
            if (_set)
            {
                _set = false;
                return ValueTask.CompletedTask;
            }
            _core.Reset();
            _waiting = true;
            wait = new ValueTask(this, _core.Version);
        }
        if (cancellationToken.CanBeCanceled)
        {
            _registration = cancellationToken.UnsafeRegister(
                static (signal, token) => ((PeerSignal)signal!).End(new OperationCanceledException(token)), this);
        }
        return wait;
    }

    public void Set() => End(null);

    // Completed under the lock, so that a waiter that comes again at once finds the core at rest.
    void End(OperationCanceledException? cancelled)
    {
        lock (_gate)
        {
            if (!_waiting)
            {
                _set |= cancelled is null;
                return;
            }
            _waiting = false;
            if (cancelled is null)
                _core.SetResult(true);
            else
                _core.SetException(cancelled);
        }
    }

    void IValueTaskSource.GetResult(short token)
    {
        _registration.Dispose();
        _registration = default;
        _core.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
