using Hearth.Simulation.Tests.World;

namespace Hearth.Simulation.Tests.Cluster;

/// <summary>Draws faults from the seed and does them, some at once.</summary>
sealed class SimFaults
{
    readonly SimCluster _cluster;
    readonly SimWorld _world;
    readonly SimChecks _checks;
    readonly IReadOnlyList<string> _conversations;
    readonly (string Name, int Weight, Action Do)[] _faults;
    TimeSpan _until;
    int _added;

    /// <param name="rollsBack">Whether the store may lose its last writes, as one that syncs its log each second does.</param>
    public SimFaults(SimCluster cluster, SimChecks checks, IReadOnlyList<string> conversations, bool rollsBack)
    {
        (_cluster, _world, _checks, _conversations) = (cluster, cluster.World, checks, conversations);
        _faults =
        [
            ("kill silo", 8, () => WithSilo(s => Kill(s.Process, () => Start(s.Name)))),
            ("pause silo", 8, () => WithSilo(s => _cluster.Pause(s.Process, _world.Between(0.05, 5)))),
            ("drain silo", 4, () => WithSilo(Drain)),
            ("add silo", 2, AddSilo),
            ("kill gateway", 4, () => WithGateway(g => Kill(g.Process, () => _cluster.StartGateway(g.Name)))),
            ("pause gateway", 4, () => WithGateway(g => _cluster.Pause(g.Process, _world.Between(0.05, 5)))),
            ("store down", 3, () => For(0.1, 4, () => _cluster.Store.IsDown = true, () => _cluster.Store.IsDown = false)),
            ("store restarts", 2, () => Restart(() => TimeSpan.Zero)),
            ("store rolls back", rollsBack ? 8 : 0, () => Restart(() => _world.Between(0, 2))),
            ("store comes back empty", rollsBack ? 1 : 0, () => Restart(() => TimeSpan.MaxValue)),
            ("store stopped", 3, () => For(0.1, 4, () => _cluster.Store.IsPaused = true, _cluster.Store.Continue)),
            ("store refuses writes", 3, () =>
                For(0.1, 3, () => _cluster.Store.RefusesWrites = true, () => _cluster.Store.RefusesWrites = false)),
            ("store slow", 2, () => For(0.5, 3, () => _cluster.Store.Slowness = 400, () => _cluster.Store.Slowness = 1)),
            ("requests lost", 3, () => For(0.5, 4, () => _cluster.Store.RequestsLost = 0.2, () => _cluster.Store.RequestsLost = 0)),
            ("requests late", 8, () => For(0.5, 4, () => _cluster.Store.RequestsLate = 0.3, () => _cluster.Store.RequestsLate = 0)),
            ("answers lost", 5, () => For(0.5, 4, () => _cluster.Store.AnswersLost = 0.3, () => _cluster.Store.AnswersLost = 0)),
            ("cut from store", 5, () => WithProcess(p =>
                For(0.1, 6, () => _cluster.Store.Cut.Add(p), () => _cluster.Store.Cut.Remove(p)))),
            ("deaf to store", 4, () => WithProcess(p =>
                For(0.1, 6, () => _cluster.Store.Deaf.Add(p), () => _cluster.Store.Deaf.Remove(p)))),
            ("cut between", 6, CutSome),
            ("network slow", 2, () => For(0.5, 3, () => _cluster.Network.Slowness = 100, () => _cluster.Network.Slowness = 1)),
            ("evict caches", 3, () => WithSilo(s => s.Engine.EvictIdle())),
            ("evict blobs", 3, EvictBlobs),
            ("clock jumps", 2, () => WithProcess(p => p.Time.WallOffset = _world.Between(-3600, 3600))),
            ("move", 12, () => AskAny((c, conversation) => c.MigrateConversationAsync(
                Contracts.TenantId.Local, new Contracts.ConversationId(conversation), null, default).AsTask())),
            ("cancel", 2, Cancel),
            ("spill", 2, () => AskAny((c, conversation) => c.SpillConversationAsync(
                Contracts.TenantId.Local, new Contracts.ConversationId(conversation), default).AsTask())),
        ];
    }

    /// <summary>Faults done so far.</summary>
    public int Count { get; private set; }

    /// <summary>Turns that a client may be told of as cancelled; asked for by <see cref="Cancel"/>.</summary>
    public Func<string, string?> RunningTurn { get; set; } = _ => null;

    /// <summary>Does faults at random moments until the given one.</summary>
    public void Schedule(int count, TimeSpan until)
    {
        _until = until;
        for (var i = 0; i < count; i++)
            _world.At(_world.Between(0.2, until.TotalSeconds), DoOne);
    }

    void DoOne()
    {
        var draw = _world.Random.Next(_faults.Sum(f => f.Weight));
        foreach (var (name, weight, fault) in _faults)
        {
            if ((draw -= weight) >= 0)
                continue;
            Count++;
            _world.Log($"fault: {name}");
            fault();
            return;
        }
    }

    void WithSilo(Action<SimSilo> fault) => With([.. _cluster.LiveSilos], fault);

    void WithGateway(Action<SimGateway> fault) => With([.. _cluster.LiveGateways], fault);

    void WithProcess(Action<SimProcess> fault) => With([.. _cluster.Processes], fault);

    void With<T>(List<T> all, Action<T> fault)
    {
        if (all.Count > 0)
            fault(all[_world.Random.Next(all.Count)]);
    }

    /// <summary>Somebody starts it again, at the same address.</summary>
    void Kill(SimProcess process, Action restart)
    {
        _cluster.Kill(process);
        _world.At(_world.Between(0.1, 3), restart);
    }

    /// <summary>One process at an address: another one may have been started there meanwhile.</summary>
    void Start(string name)
    {
        if (!_cluster.LiveSilos.Any(s => s.Name == name))
            _cluster.StartSilo(name);
    }

    void Drain(SimSilo silo)
    {
        silo.Drain();
        Restart();

        void Restart() => _world.At(_world.Between(1, 3), () =>
        {
            if (silo.Process.IsDead)
                Start(silo.Name);
            else
                Restart();
        });
    }

    void AddSilo()
    {
        if (_cluster.LiveSilos.Count() < 6)
            _cluster.StartSilo($"added-{++_added}");
    }

    void For(double least, double most, Action begin, Action end)
    {
        begin();
        _world.At(_world.Between(least, most), end);
    }

    /// <summary>It is away for a moment, and comes back as another incarnation without its last writes.</summary>
    void Restart(Func<TimeSpan> lost)
    {
        _cluster.Store.IsDown = true;
        _world.At(_world.Between(0.1, 2), () =>
        {
            _cluster.Store.IsDown = false;
            if (_world.Now > _until)
                return; // the trouble is over
            var (image, at) = _cluster.Store.ImageBefore(lost());
            _cluster.Store.Memory.Restart(image);
            _checks.RolledBack(image, at);
        });
    }

    void CutSome()
    {
        var all = _cluster.Processes.ToList();
        if (all.Count < 2)
            return;
        var (a, b) = (all[_world.Random.Next(all.Count)], all[_world.Random.Next(all.Count)]);
        if (a == b)
            return;
        _cluster.Network.Cut(a, b);
        if (_world.Chance(0.6))
            _cluster.Network.Cut(b, a);
        _world.At(_world.Between(0.2, 6), _cluster.Network.Heal);
    }

    void EvictBlobs()
    {
        // In an order that does not depend on hashes or on the random middle of a name, which differ between runs.
        foreach (var (grain, name) in _cluster.Store.Memory.Image.Blobs.Keys
            .OrderBy(b => b.Item1.Name, StringComparer.Ordinal)
            .ThenBy(b => string.Concat(b.Item2.Split('-') is [var first, _, var last] ? [first, "-", last] : []), StringComparer.Ordinal)
            .ToArray())
        {
            if (_world.Chance(0.5))
                _cluster.Store.Memory.Blobs.Evict(grain, name);
        }
    }

    void Cancel() => AskAny(async (cluster, conversation) => RunningTurn(conversation) is { } turn
        && await cluster.CancelTurnAsync(Contracts.TenantId.Local, new Contracts.ConversationId(conversation),
            new Contracts.TurnId(turn), default));

    void AskAny<T>(Func<Contracts.ICluster, string, Task<T>> ask) => WithGateway(gateway =>
    {
        var conversation = _conversations[_world.Random.Next(_conversations.Count)];
        gateway.Ask(new SimProcess(_world, "operator"), cluster => ask(cluster, conversation), (_, _) => { });
    });
}
