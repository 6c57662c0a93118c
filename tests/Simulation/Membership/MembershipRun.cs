using System.Text;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Actors.Storage;
using Hearth.Simulation.Tests.World;
using Hearth.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Simulation.Tests.Membership;

/// <summary>Silos and observers over one simulated store. Looks at every step of the store whether anybody may act that the table
/// calls dead, and whether any observer went back in time.</summary>
sealed class MembershipRun
{
    static readonly TimeSpan _look = TimeSpan.FromMilliseconds(20);

    readonly HashSet<string> _gone = [];
    readonly Dictionary<MembershipWatcher, MembershipView> _seen = [];
    int _names;

    public MembershipRun(int seed)
    {
        World = new SimWorld(seed);
        Server = new SimStoreServer(World, new SimProcess(World, "redis").Time) { Ran = (_, _, _, _) => Look() };
        World.At(_look, LookAgain);
    }

    public SimWorld World { get; }
    public SimStoreServer Server { get; }

    /// <summary>False while somebody meddles with the table by hand: then a silo that may act is called dead until its next
    /// beat.</summary>
    public bool IsTableSound { get; set; } = true;

    public MembershipOptions Options { get; } = new();
    public List<SimSilo> Silos { get; } = [];
    public List<(SimProcess Process, MembershipWatcher Watcher)> Observers { get; } = [];
    public IEnumerable<MemoryMember> Rows => Server.Memory.Image.Members.Values;

    public IEnumerable<MemoryMember> Of(SiloStatus status) => Rows.Where(r => r.Entry.Status == status);

    public SimSilo AddSilo(double rate = 1)
    {
        var silo = new SimSilo(this, $"s{++_names}", rate);
        Silos.Add(silo);
        return silo;
    }

    public MembershipWatcher AddObserver(double rate = 1)
    {
        var process = new SimProcess(World, $"o{++_names}", rate);
        var watcher = Watch(process);
        process.Start("an observer", () => StartAsync(process, watcher));
        return watcher;
    }

    public MembershipWatcher Watch(SimProcess process)
    {
        var watcher = new MembershipWatcher(new SimStore(Server, process), Options, process.Time, NullLogger.Instance);
        Observers.Add((process, watcher));
        return watcher;
    }

    /// <summary>Starts and follows: views must only grow.</summary>
    public async Task StartAsync(SimProcess process, MembershipWatcher watcher)
    {
        while (true)
        {
            try
            {
                await watcher.StartAsync(default);
                break;
            }
            catch (StoreException)
            {
                await Task.Delay(Options.Beat, process.Time);
            }
        }
        for (var view = watcher.View; ; view = await watcher.NextAsync(view, default))
        {
            if (_seen.TryGetValue(watcher, out var last) && last.Incarnation == view.Incarnation && last.Version >= view.Version)
                World.Violate($"{process.Name} went from version {last.Version} to {view.Version}");
            _seen[watcher] = view;
        }
    }

    /// <summary>Asks as one does who wants to take over.</summary>
    public async Task AskAsync(SimProcess process, MembershipWatcher watcher, string silo)
    {
        var incarnation = Server.Memory.Incarnation;
        try
        {
            if (await watcher.IsGoneAsync(silo, default) && incarnation == Server.Memory.Incarnation)
            {
                _gone.Add(silo);
                World.Log($"{process.Name} knows that {silo} is gone");
            }
        }
        catch (StoreException e)
        {
            World.Log($"{process.Name} asked for {silo} in vain: {e.Message}");
        }
        Look();
    }

    /// <summary>The store's process ends, and another begins with what is left.</summary>
    public void Restart(MemoryImage image)
    {
        World.Log($"the store restarts with version {image.MembersVersion} instead of {Server.Memory.Image.MembersVersion}");
        _gone.Clear();
        Server.Memory.Restart(image);
    }

    public async Task RunAsync(TimeSpan time)
    {
        await World.RunAsync(() => false, time);
        Assert.True(World.Violations.Count == 0, World.ToString());
    }

    public async Task RunUntilAsync(Func<bool> until, TimeSpan limit, string what)
    {
        Assert.True(await World.RunAsync(until, limit), $"not in {limit.TotalSeconds} s: {what}\n{this}");
        Assert.True(World.Violations.Count == 0, World.ToString());
    }

    public override string ToString()
    {
        var text = new StringBuilder($"{World}\n{Server.Memory.Incarnation} version {Server.Memory.Image.MembersVersion}\n");
        foreach (var row in Rows)
            text.AppendLine($"row {row.Entry.Id} {row.Entry.Status} beat {row.Beat}");
        foreach (var silo in Silos.Where(s => !s.Process.IsDead))
            text.AppendLine($"{silo.Name} joined {silo.HasJoined} held {silo.Member.Lease.IsHeld} paused {silo.Process.IsPaused}");
        foreach (var (process, watcher) in Observers.Where(o => !o.Process.IsDead))
            text.AppendLine($"{process.Name} sees {watcher.View.Incarnation} version {watcher.View.Version}, current {watcher.IsCurrent}");
        return text.ToString();
    }

    void LookAgain()
    {
        Look();
        World.At(_look, LookAgain);
    }

    void Look()
    {
        foreach (var silo in Silos.Where(s => s.Member.Lease.IsHeld))
        {
            var id = silo.Member.Silo;
            if (IsTableSound && Server.Memory.Image.Members.GetValueOrDefault(id)?.Entry.Status == SiloStatus.Dead)
                World.Violate($"{id} may act, and the table calls it dead");
            if (_gone.Contains(id))
                World.Violate($"{id} may act, and an observer was told that it is gone");
            if (silo.IsChecking)
                World.Violate($"{id} may act while it checks what it owns");
        }
    }
}

/// <summary>A silo's process: it ends when it is declared dead, and starts as another one after a while.</summary>
sealed class SimSilo
{
    readonly MembershipRun _run;

    public SimSilo(MembershipRun run, string name, double rate)
    {
        (_run, Name, Rate) = (run, name, rate);
        Process = new SimProcess(run.World, name, rate);
        Store = new SimStore(run.Server, Process);
        Member = new SiloMember(Store, run.Options, () => new SiloLoad { Activations = 1 }, Process.Time, NullLogger.Instance)
        {
            Revalidate = CheckAsync,
        };
        Watcher = run.Watch(Process);
        Process.Start("the silo", LiveAsync);
        Process.Start("its watch", () => run.StartAsync(Process, Watcher));
    }

    public string Name { get; }
    public double Rate { get; }
    public SimProcess Process { get; }
    public SimStore Store { get; }
    public SiloMember Member { get; }
    public MembershipWatcher Watcher { get; }
    public bool IsChecking { get; private set; }
    public int Checks { get; private set; }
    public bool HasJoined { get; private set; }

    async Task LiveAsync()
    {
        var isIn = false;
        while (!HasJoined)
        {
            try
            {
                if (!isIn)
                {
                    var generation = _run.World.Random.Next().ToString("x8");
                    await Member.JoinAsync(new SiloEntry($"{Name}/{generation}", $"{Name}:1", SiloStatus.Joining, "{}"), default);
                    isIn = true;
                }
                await Member.SetStatusAsync(SiloStatus.Active, default);
                HasJoined = true;
            }
            catch (StoreException)
            {
                await Task.Delay(_run.Options.Beat, Process.Time);
            }
            catch (LeaseLostException)
            {
                break;
            }
        }
        await Member.Died;
        _run.World.Log($"{Member.Silo} ends, for it was declared dead");
        Process.Kill();
    }

    async Task CheckAsync(CancellationToken cancellationToken)
    {
        IsChecking = true;
        Checks++;
        try
        {
            await Task.Delay(_run.World.Between(0, 0.5), Process.Time, cancellationToken);
            await Store.LocateAsync(new GrainId("t", "c"), cancellationToken);
        }
        finally
        {
            IsChecking = false;
        }
    }
}
