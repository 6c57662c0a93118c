namespace Hearth.Simulation.Tests.World;

/// <summary>A process of the simulated world: its continuations, its timers and its clocks.</summary>
sealed class SimProcess : SynchronizationContext
{
    readonly SimWorld _world;
    List<(SimProcess Process, SendOrPostCallback Callback, object? State)> _held = [];

    /// <param name="rate">Of its clock against the world's.</param>
    public SimProcess(SimWorld world, string name, double rate = 1)
    {
        (_world, Name) = (world, name);
        Time = new SimTime(world, this, rate);
    }

    public SimWorld World => _world;
    public string Name { get; }
    public SimTime Time { get; }
    public bool IsDead { get; private set; }
    public bool IsPaused { get; private set; }

    /// <summary>Called once when it dies: its connections break.</summary>
    public Action Died { get; set; } = () => { };

    /// <summary>The process whose code runs now; null for none, as on the pool.</summary>
    public static SimProcess? Running => Current as SimProcess;

    public override void Post(SendOrPostCallback d, object? state)
    {
        if (IsDead)
            return;
        if (IsPaused)
            _held.Add((this, d, state));
        else
            _world.Post(this, d, state);
    }

    public override void Send(SendOrPostCallback d, object? state) =>
        throw new InvalidOperationException("A simulated process waits for nothing.");

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>Runs a piece of code in this process, soon.</summary>
    public void Do(Action action) => Post(static a => ((Action)a!)(), action);

    /// <summary>Starts an asynchronous piece of code in this process. What it throws is a violation.</summary>
    public void Start(string what, Func<Task> body) => Do(() => _ = WatchAsync(what, body));

    /// <summary>kill -9: nothing of it runs any more.</summary>
    public void Kill()
    {
        if (IsDead)
            return;
        IsDead = true;
        _held.Clear();
        _world.Forget(this);
        _world.Log($"{Name} is dead");
        Died();
    }

    /// <summary>SIGSTOP: its clock goes on.</summary>
    public void Pause()
    {
        if (IsDead || IsPaused)
            return;
        _world.Log($"{Name} is stopped");
        _held = _world.TakeReady(this);
        IsPaused = true;
    }

    /// <summary>SIGCONT: what was due meanwhile happens now.</summary>
    public void Continue()
    {
        if (IsDead || !IsPaused)
            return;
        _world.Log($"{Name} goes on");
        IsPaused = false;
        foreach (var (_, callback, state) in _held)
            _world.Post(this, callback, state);
        _held = [];
    }

    internal void Run(SendOrPostCallback callback, object? state)
    {
        var before = Current;
        SetSynchronizationContext(this);
        try
        {
            callback(state);
        }
        catch (Exception e)
        {
            _world.Violate($"{Name}: an exception that nobody caught, which would end the process: {e}");
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    async Task WatchAsync(string what, Func<Task> body)
    {
        try
        {
            await body();
        }
        catch (Exception e)
        {
            _world.Violate($"{Name}: {what} failed: {e}");
        }
    }
}
