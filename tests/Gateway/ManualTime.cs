using System.Threading.Channels;

namespace Hearth.Gateway.Tests;

/// <summary>A clock that a test moves, with an odd frequency so that nobody counts on a common one.</summary>
sealed class ManualTime : TimeProvider
{
    static readonly DateTimeOffset s_start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    readonly Lock _gate = new();
    readonly List<Timer> _timers = [];
    readonly Channel<bool> _armed = Channel.CreateBounded<bool>(1024);
    TimeSpan _now;

    public override long TimestampFrequency => 1_234_567;

    public override DateTimeOffset GetUtcNow() => s_start + _now;

    public override long GetTimestamp() => (long)(_now.TotalSeconds * TimestampFrequency);

    /// <summary>Waits until somebody has set a timer that was not waited for yet.</summary>
    public ValueTask<bool> ArmedAsync(CancellationToken cancellationToken) => _armed.Reader.ReadAsync(cancellationToken);

    public void Advance(TimeSpan by)
    {
        List<Timer> due;
        lock (_gate)
        {
            _now += by;
            due = [.. _timers.Where(t => t.Due <= _now)];
            _timers.RemoveAll(due.Contains);
        }
        due.ForEach(t => t.Fire());
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    sealed class Timer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        public TimeSpan Due { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                time._timers.Remove(this);
                if (dueTime >= TimeSpan.Zero)
                {
                    Due = time._now + dueTime;
                    time._timers.Add(this);
                    time._armed.Writer.TryWrite(true);
                }
            }
            return true;
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
