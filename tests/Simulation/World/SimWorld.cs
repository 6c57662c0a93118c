using System.Text;

namespace Hearth.Simulation.Tests.World;

/// <summary>A world of simulated processes on one thread: continuations run one at a time in an order drawn from the seed, and time
/// moves only when nothing can run. The same seed gives the same run.
/// The process must have one pool thread only (see the project file): work that leaves the simulated contexts for the pool
/// then runs on this same thread between two steps, in the same order every time.</summary>
sealed class SimWorld
{
    const int LogLinesKept = 400;

    // Far more than the busiest moment and the longest run of thousands: beyond, nothing comes of it any more.
    const int StepsAtOnceMax = 100_000;
    const int HopsAtOnceMax = 1_000_000;
    const long StepsMax = 1_000_000;

    readonly List<(SimProcess Process, SendOrPostCallback Callback, object? State)> _ready = [];
    readonly PriorityQueue<Action, (long Due, long Order)> _events = new();
    readonly Queue<string> _log = new();
    TaskCompletionSource _done = new();
    Func<bool> _until = () => true;
    long _end;
    long _orders;
    int _stepsAtOnce;
    int _hopsAtOnce;
    ulong _hash = 14695981039346656037;

    public SimWorld(int seed)
    {
        Seed = seed;
        Random = new Random(seed);
    }

    public int Seed { get; }

    /// <summary>The source of everything that is drawn.</summary>
    public Random Random { get; }

    /// <summary>Since the world's begin.</summary>
    public TimeSpan Now { get; private set; }

    public long Steps { get; private set; }

    /// <summary>Times that work had left for the thread pool.</summary>
    public long Hops { get; private set; }

    /// <summary>What must not have happened.</summary>
    public List<string> Violations { get; } = [];

    /// <summary>Of all events so far: two runs of a seed must have the same.</summary>
    public ulong LogHash => _hash;

    public IEnumerable<string> LastEvents => _log;

    /// <summary>Null while a fault must not fail: to stop the run at the first violation.</summary>
    public bool IsBroken => Violations.Count > 0;

    public void Log(string what)
    {
        var line = $"{Now.TotalSeconds,9:F4} {what}";
        foreach (var c in line)
            _hash = (_hash ^ c) * 1099511628211;
        _log.Enqueue(line);
        if (_log.Count > LogLinesKept)
            _log.Dequeue();
    }

    public void Violate(string what)
    {
        Log("VIOLATION " + what);
        Violations.Add(what);
    }

    /// <summary>Does something later, outside of any process.</summary>
    public void At(TimeSpan delay, Action action) =>
        _events.Enqueue(action, ((Now + (delay < TimeSpan.Zero ? TimeSpan.Zero : delay)).Ticks, _orders++));

    public TimeSpan Between(double from, double to) => TimeSpan.FromSeconds(from + (to - from) * Random.NextDouble());

    public bool Chance(double probability) => Random.NextDouble() < probability;

    /// <summary>Runs until the condition holds.</summary>
    /// <returns>False if the time is up before.</returns>
    public async Task<bool> RunAsync(Func<bool> until, TimeSpan limit)
    {
        (_until, _end) = (until, (Now + limit).Ticks);
        _done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ThreadPool.UnsafeQueueUserWorkItem(static world => world.Pump(), this, preferLocal: false);
        await _done.Task;
        return _until();
    }

    public override string ToString()
    {
        var text = new StringBuilder($"seed {Seed}, {Now.TotalSeconds:F3} s, {Steps} steps, {Hops} hops\n");
        foreach (var line in _log)
            text.AppendLine(line);
        return text.ToString();
    }

    internal void Post(SimProcess process, SendOrPostCallback callback, object? state) => _ready.Add((process, callback, state));

    internal void Forget(SimProcess process) => _ready.RemoveAll(r => r.Process == process);

    internal List<(SimProcess, SendOrPostCallback, object?)> TakeReady(SimProcess process)
    {
        var taken = _ready.FindAll(r => r.Process == process);
        Forget(process);
        return taken;
    }

    void Pump()
    {
        try
        {
            while (!_until() && Violations.Count == 0)
            {
                if (ThreadPool.PendingWorkItemCount > 0)
                {
                    Hop();
                    ThreadPool.UnsafeQueueUserWorkItem(static world => world.Pump(), this, preferLocal: false);
                    return;
                }
                if (_ready.Count > 0)
                    RunOne();
                else if (!MoveTime())
                    break;
            }
            _done.SetResult();
        }
        catch (Exception e)
        {
            _done.SetException(e);
        }
    }

    void Hop()
    {
        Hops++;
        if (++_hopsAtOnce > HopsAtOnceMax)
            Violate($"no progress: {ThreadPool.PendingWorkItemCount} pieces of work stay in the pool's queue over {HopsAtOnceMax} turns of it");
    }

    void RunOne()
    {
        Steps++;
        _hopsAtOnce = 0;
        var index = Random.Next(_ready.Count);
        var (process, callback, state) = _ready[index];
        Spend(process.Name);
        _ready[index] = _ready[^1];
        _ready.RemoveAt(_ready.Count - 1);
        process.Run(callback, state);
    }

    bool MoveTime()
    {
        if (!_events.TryPeek(out _, out var next) || next.Due > _end)
            return false;
        _events.TryDequeue(out var action, out next);
        if (next.Due > Now.Ticks)
            (Now, _stepsAtOnce) = (TimeSpan.FromTicks(next.Due), 0);
        _hopsAtOnce = 0;
        Spend("the world");
        action!();
        return true;
    }

    void Spend(string who)
    {
        if (++_stepsAtOnce > StepsAtOnceMax)
            Violate($"no progress: {StepsAtOnceMax} steps took no time, the last one of {who}");
        else if (Steps > StepsMax)
            Violate($"no progress: {StepsMax} steps led nowhere, the last one of {who}");
    }
}
