using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.History;
using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Grains;
using Hearth.Grains.Peers;
using Hearth.Simulation.Tests.World;

namespace Hearth.Simulation.Tests.Cluster;

/// <summary>A silo put together as in the product, over a simulated world: membership, grains, peer handlers.</summary>
sealed class SimSilo
{
    static readonly TimeSpan _retry = TimeSpan.FromMilliseconds(300);
    static readonly TimeSpan _drainBudget = TimeSpan.FromSeconds(10);

    readonly SimCluster _cluster;
    readonly MembershipWatcher _watcher;
    readonly SiloMember _member;
    readonly string _address;
    string _servedAs;
    bool _draining;

    public SimSilo(SimCluster cluster, string name)
    {
        _cluster = cluster;
        var world = cluster.World;
        var id = $"{name}/{cluster.NextGeneration()}";
        Process = new SimProcess(world, id, rate: 1 + (world.Random.NextDouble() - 0.5) * 0.02);
        (Name, Id, _servedAs, _address) = (name, id, id, $"{name}:7000");
        Engine = new SimEngine(Process, SimCluster.Card) { Step = world.Between(0.005, 0.04) };
        var store = new SimStore(cluster.Store, Process);
        var models = new ModelCatalog();
        models.Serve(SimCluster.Serve(Engine));
        var history = cluster.Histories?.OfSilo(id);
        IMembershipStore members = history is null ? store : new RecordingMembershipStore(store, history);
        _watcher = new MembershipWatcher(members, cluster.Membership, Process.Time, cluster.Logger);
        _member = new SiloMember(members, cluster.SiloMembership, Load, Process.Time, cluster.Logger);
        Grains = InProcess(() => new LocalCluster(
            new GrainHostOptions { Silo = id, SiloIsGone = _watcher.IsGoneAsync, Lease = _member.Lease, IdleMax = world.Between(5, 60) },
            history is null ? store : new RecordingGrainStore(store, history),
            history is null ? store : new RecordingBlobStore(store, history),
            models, Process.Time, cluster.Logger, null, Peers()));
        _member.Revalidate = RevalidateAsync;
        Process.Start("start", StartAsync);
    }

    public string Name { get; }

    /// <summary>With the generation that it started with.</summary>
    public string Id { get; }
    public SimProcess Process { get; }
    public SimEngine Engine { get; }
    public LocalCluster Grains { get; }
    public bool IsLeaseHeld => _member.Lease.IsHeld;

    /// <summary>The id that it has in the table now; its first one before it has joined.</summary>
    public string CurrentId => IsJoined ? _member.Silo : Id;

    public bool IsJoined { get; private set; }
    public bool IsActive { get; private set; }

    /// <summary>SIGTERM: hands everything on, leaves, ends.</summary>
    public void Drain()
    {
        if (_draining || !IsActive)
            return;
        _draining = true;
        _cluster.World.Log($"{Id} drains");
        Process.Start("drain", DrainAsync);
    }

    async Task StartAsync()
    {
        while (true)
        {
            try
            {
                await _watcher.StartAsync(default);
                break;
            }
            catch (StoreException)
            {
                await Task.Delay(_retry, Process.Time);
            }
        }
        var handlers = PeerHandlers.Of(Grains, () =>
        {
            Drain();
            return true;
        });
        _cluster.Network.Listen(_address, Process, handlers);
        var description = new SiloDescription(1, "sim", "1", [SimCluster.Card]);
        var entry = new SiloEntry(Id, _address, SiloStatus.Joining,
            JsonSerializer.Serialize(description, ContractsJson.Default.SiloDescription));
        try
        {
            await _member.JoinAsync(entry, default);
        }
        catch (Exception e) when (e is StoreException or LeaseLostException)
        {
            // As the product: it ends, and whoever started it starts it again with another id.
            End();
            return;
        }
        IsJoined = true;
        _ = EndWhenDeadAsync();
        await SetStatusAsync(SiloStatus.Active);
        IsActive = true;
        _cluster.World.Log($"{Id} is active");
    }

    async Task RevalidateAsync(CancellationToken cancellationToken)
    {
        if (_member.Silo == _servedAs)
        {
            await Grains.RevalidateAsync(cancellationToken);
            return;
        }
        await Grains.RejoinAsync(_member.Silo);
        _servedAs = _member.Silo;
        _cluster.World.Log($"{Id} goes on as another silo");
    }

    async Task SetStatusAsync(SiloStatus status)
    {
        while (true)
        {
            try
            {
                await _member.SetStatusAsync(status, default);
                return;
            }
            catch (StoreException)
            {
                await Task.Delay(_retry, Process.Time);
            }
            catch (LeaseLostException)
            {
                return; // it is about to end
            }
        }
    }

    async Task EndWhenDeadAsync()
    {
        await _member.Died;
        _cluster.World.Log($"{Id} learns that it is dead");
        End();
    }

    async Task DrainAsync()
    {
        await SetStatusAsync(SiloStatus.Draining);
        using var budget = new CancellationTokenSource(_drainBudget, Process.Time);
        try
        {
            await Grains.DrainAsync(null, budget.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or StoreException)
        {
            // What could not be handed on in time is released below.
        }
        await Grains.DisposeAsync();
        await Task.Delay(TimeSpan.FromMilliseconds(50), Process.Time);
        try
        {
            await _member.LeaveAsync(default);
        }
        catch (StoreException)
        {
            // Its lease runs out: the others find out by themselves.
        }
        _cluster.World.Log($"{Id} has left");
        End();
    }

    void End() => _cluster.World.At(TimeSpan.Zero, () => _cluster.Kill(Process));

    /// <summary>As the product makes it of its watcher.</summary>
    SiloPeers Peers()
    {
        var random = new Random(_cluster.World.Random.Next());
        return new SiloPeers
        {
            Network = _cluster.Network.For(Process),
            Find = idOrName => _watcher.View.Silos.LastOrDefault(
                s => s.Status != SiloStatus.Dead && (s.Id == idOrName || s.Name == idOrName)),
            Choose = (model, except) => PlacementRule.Choose(_watcher.View, _watcher.LoadOf, model, 0, except, random),
        };
    }

    SiloLoad Load()
    {
        var load = Engine.Load;
        return new SiloLoad
        {
            Models = [SimCluster.Card.Name],
            Running = load.Running,
            Waiting = load.Waiting,
            BlocksTotal = load.BlocksTotal,
            BlocksUsed = load.BlocksUsed,
        };
    }

    T InProcess<T>(Func<T> make)
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(Process);
        try
        {
            return make();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }
}
