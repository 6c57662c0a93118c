namespace Hearth.Actors.Membership;

/// <summary>A silo's right to act, on its own monotonic clock: it ends before anyone may take over. It can end at any moment,
/// so it is asked last, right before what others could see, and again after every await. Thread-safe.</summary>
public sealed class Lease
{
    const long Never = long.MinValue;

    /// <summary>For a silo that shares with nobody: never ends.</summary>
    public static Lease Forever { get; } = new(TimeProvider.System) { _until = long.MaxValue };

    readonly TimeProvider _time;
    readonly Lock _lock = new();
    TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    long _until = Never;
    string? _lost;

    internal Lease(TimeProvider time) => _time = time;

    /// <summary>Whether the silo may act at this very moment. Cheap: asked before everything that others could see.</summary>
    public bool IsHeld
    {
        get
        {
            // The end first, then the clock: a pause between the two must not make the clock look early.
            var until = Volatile.Read(ref _until);
            return until == long.MaxValue || (until != Never && _time.GetTimestamp() < until);
        }
    }

    /// <summary>How much longer it is held if nothing renews it; zero if it is not.</summary>
    public TimeSpan Left
    {
        get
        {
            var until = Volatile.Read(ref _until);
            return until == long.MaxValue ? TimeSpan.MaxValue
                : until != Never && until - _time.GetTimestamp() is > 0 and var left
                    ? TimeSpan.FromSeconds((double)left / _time.TimestampFrequency) : TimeSpan.Zero;
        }
    }

    /// <summary>Whether it will never be held again.</summary>
    internal bool IsLost
    {
        get
        {
            lock (_lock)
                return _lost is not null;
        }
    }

    /// <summary>Whether it was ever held.</summary>
    internal bool WasHeld { get; private set; }

    /// <summary>Returns when the lease is held: at once, or after the next renewal.</summary>
    /// <exception cref="LeaseLostException">The silo was declared dead or left: it will never be held again.</exception>
    public ValueTask HeldAsync(CancellationToken cancellationToken) =>
        IsHeld ? ValueTask.CompletedTask : new ValueTask(WaitAsync(cancellationToken));

    /// <summary>Held until the given timestamp, if that is later than before.</summary>
    internal void Renew(long until)
    {
        lock (_lock)
        {
            if (_lost is not null || until <= _until)
                return;
            Volatile.Write(ref _until, until);
            WasHeld = true;
            Wake();
        }
    }

    /// <summary>Not held from now on, until it is renewed.</summary>
    internal void Suspend()
    {
        lock (_lock)
            Volatile.Write(ref _until, Never);
    }

    /// <summary>Never held again.</summary>
    internal void Lose(string reason)
    {
        lock (_lock)
        {
            Volatile.Write(ref _until, Never);
            _lost ??= reason;
            Wake();
        }
    }

    async Task WaitAsync(CancellationToken cancellationToken)
    {
        while (!IsHeld)
        {
            Task changed;
            lock (_lock)
            {
                if (_lost is not null)
                    throw new LeaseLostException(_lost);
                // A renewal between the question and this lock is not to be missed.
                if (IsHeld)
                    return;
                changed = _changed.Task;
            }
            await changed.WaitAsync(cancellationToken);
        }
    }

    void Wake()
    {
        _changed.SetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>This silo was declared dead, or has left: it must end.</summary>
public sealed class LeaseLostException(string message) : Exception(message);
