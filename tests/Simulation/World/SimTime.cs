namespace Hearth.Simulation.Tests.World;

/// <summary>A process's clocks. The monotonic one runs at its own rate and never stops, the wall clock may jump.</summary>
sealed class SimTime(SimWorld world, SimProcess process, double rate) : TimeProvider
{
    static readonly DateTimeOffset _begin = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>How far the wall clock is off.</summary>
    public TimeSpan WallOffset { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => (long)(world.Now.Ticks * rate);

    public override DateTimeOffset GetUtcNow() => _begin + world.Now + WallOffset;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (SimProcess.Running is { } running && running != process)
            world.Violate($"{running.Name} uses the clock of {process.Name}");
        var timer = new SimTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    sealed class SimTimer(SimTime time, Action fire) : ITimer
    {
        TimeSpan _period;
        int _generation;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _period = period;
            _generation++;
            if (dueTime != Timeout.InfiniteTimeSpan)
                time.Arm(this, dueTime, _generation);
            return true;
        }

        public void Due(int generation)
        {
            if (generation == _generation)
                time.Fire(this, generation);
        }

        public void Fire(int generation)
        {
            if (generation != _generation)
                return;
            if (_period > TimeSpan.Zero)
                time.Arm(this, _period, generation);
            fire();
        }

        public void Dispose() => _generation++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }

    void Arm(SimTimer timer, TimeSpan due, int generation) => world.At(due / rate, () => timer.Due(generation));

    void Fire(SimTimer timer, int generation) => process.Do(() => timer.Fire(generation));
}
