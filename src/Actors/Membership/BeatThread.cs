namespace Hearth.Actors.Membership;

/// <summary>One thread that runs an asynchronous loop with all its continuations and timers, and needs no other thread for
/// it.</summary>
sealed class BeatThread(string name) : SynchronizationContext
{
    readonly object _lock = new();
    readonly Queue<(SendOrPostCallback Callback, object? State)> _work = [];
    readonly List<ThreadTimer> _timers = [];

    /// <summary>The system's clock; its timers fire on this thread.</summary>
    public TimeProvider Time => field ??= new ThreadTime(this);

    /// <summary>Runs the loop on a new thread, until the loop ends.</summary>
    public Task RunAsync(Func<Task> loop)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() => Run(loop, ended))
        {
            IsBackground = true,
            Name = name,
            Priority = ThreadPriority.AboveNormal,
        }.Start();
        return ended.Task;
    }

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_lock)
        {
            _work.Enqueue((d, state));
            Monitor.Pulse(_lock);
        }
    }

    public override void Send(SendOrPostCallback d, object? state) =>
        throw new NotSupportedException("Nobody waits for the thread of the beats.");

    public override SynchronizationContext CreateCopy() => this;

    void Run(Func<Task> loop, TaskCompletionSource ended)
    {
        SetSynchronizationContext(this);
        var running = loop();
        // The end of the loop is work too: it wakes this thread.
        _ = running.ContinueWith(_ => Post(_ => { }, null), TaskScheduler.FromCurrentSynchronizationContext());
        while (!running.IsCompleted)
            RunNext();
        ended.SetFromTask(running);
    }

    void RunNext()
    {
        (SendOrPostCallback Callback, object? State) next;
        lock (_lock)
        {
            while (!_work.TryDequeue(out next))
            {
                var due = _timers.MinBy(t => t.Due);
                var wait = due is null || due.Due == long.MaxValue ? Timeout.InfiniteTimeSpan : Until(due.Due);
                if (wait == TimeSpan.Zero)
                {
                    due!.Due = long.MaxValue;
                    next = (static t => ((ThreadTimer)t!).Fire(), due);
                    break;
                }
                Monitor.Wait(_lock, wait);
            }
        }
        next.Callback(next.State);
    }

    static TimeSpan Until(long due)
    {
        var now = TimeProvider.System.GetTimestamp();
        // Rounded up, for waits end on whole milliseconds.
        return due <= now ? TimeSpan.Zero : TimeProvider.System.GetElapsedTime(now, due) + TimeSpan.FromMilliseconds(1);
    }

    sealed class ThreadTime(BeatThread thread) : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = new ThreadTimer(thread, callback, state);
            lock (thread._lock)
                thread._timers.Add(timer);
            timer.Change(dueTime, period);
            return timer;
        }
    }

    sealed class ThreadTimer(BeatThread thread, TimerCallback callback, object? state) : ITimer
    {
        public long Due { get; set; } = long.MaxValue;

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (period != Timeout.InfiniteTimeSpan && period != TimeSpan.Zero)
                throw new NotSupportedException("A timer of the beats fires once.");
            lock (thread._lock)
            {
                Due = dueTime == Timeout.InfiniteTimeSpan
                    ? long.MaxValue
                    : TimeProvider.System.GetTimestamp() + (long)(dueTime.TotalSeconds * TimeProvider.System.TimestampFrequency);
                Monitor.Pulse(thread._lock);
            }
            return true;
        }

        public void Dispose()
        {
            lock (thread._lock)
                thread._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
