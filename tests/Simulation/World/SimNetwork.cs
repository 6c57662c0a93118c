using Hearth.Actors.Transport;

namespace Hearth.Simulation.Tests.World;

/// <summary>The network between simulated processes. What is sent arrives in order, or the connection breaks; a direction that is cut
/// holds what is sent until it heals or the connection is given up.</summary>
sealed class SimNetwork(SimWorld world)
{
    static readonly TimeSpan _connect = TimeSpan.FromSeconds(1);

    readonly Dictionary<string, (SimProcess Process, IReadOnlyDictionary<string, PeerHandler> Handlers)> _listeners = [];
    readonly HashSet<(SimProcess From, SimProcess To)> _cut = [];
    readonly List<SimConnection> _connections = [];

    /// <summary>How long a connection bears silence.</summary>
    public TimeSpan Silence { get; set; } = TimeSpan.FromSeconds(2);

    public double Slowness { get; set; } = 1;

    public SimWorld World => world;

    public IPeerNetwork For(SimProcess process) => new Node(this, process);

    public void Listen(string address, SimProcess process, IReadOnlyDictionary<string, PeerHandler> handlers) =>
        _listeners[address] = (process, handlers);

    public void StopListening(string address) => _listeners.Remove(address);

    public bool IsCut(SimProcess from, SimProcess to) => _cut.Contains((from, to));

    /// <summary>Nothing gets from one to the other.</summary>
    public void Cut(SimProcess from, SimProcess to)
    {
        if (!_cut.Add((from, to)))
            return;
        world.Log($"cut {from.Name} -> {to.Name}");
        foreach (var connection in Between(from, to))
            connection.LoseSoon(Silence, () => IsCut(from, to));
    }

    public void Heal()
    {
        foreach (var (from, to) in _cut.ToArray())
        {
            _cut.Remove((from, to));
            foreach (var connection in Between(from, to))
                connection.Flush(from);
        }
    }

    /// <summary>A process that is stopped answers no sign of life.</summary>
    public void Paused(SimProcess process)
    {
        foreach (var connection in _connections.Where(c => c.Has(process)))
            connection.LoseSoon(Silence, () => process.IsPaused);
    }

    public void Died(SimProcess process)
    {
        foreach (var address in _listeners.Where(l => l.Value.Process == process).Select(l => l.Key).ToArray())
            _listeners.Remove(address);
        foreach (var connection in _connections.Where(c => c.Has(process)).ToArray())
        {
            var cut = IsCut(connection.Caller, connection.Callee) || IsCut(connection.Callee, connection.Caller);
            connection.LoseSoon(cut ? Silence : Latency(), () => true);
        }
    }

    public TimeSpan Latency() => world.Between(0.0001, 0.002) * Slowness;

    internal void Forget(SimConnection connection) => _connections.Remove(connection);

    List<SimConnection> Between(SimProcess a, SimProcess b) => _connections.FindAll(c => c.Has(a) && c.Has(b));

    async ValueTask<PeerCall> OpenAsync(SimProcess caller, string address, string method, ReadOnlyMemory<byte> request,
        PeerCallOptions options, CancellationToken cancellationToken)
    {
        if (!_listeners.TryGetValue(address, out var listener) || listener.Process.IsDead)
        {
            await Task.Delay(Latency(), caller.Time, cancellationToken);
            throw new PeerException(PeerFault.Unreachable, $"{method} at {address}: nobody listens there");
        }
        var callee = listener.Process;
        if (IsCut(caller, callee) || IsCut(callee, caller) || callee.IsPaused)
        {
            await Task.Delay(_connect, caller.Time, cancellationToken);
            throw new PeerException(PeerFault.Unreachable, $"{method} at {address}: no answer");
        }
        cancellationToken.ThrowIfCancellationRequested();
        var connection = new SimConnection(this, caller, callee, method, request.ToArray());
        _connections.Add(connection);
        connection.Open(listener.Handlers.GetValueOrDefault(method), options);
        return connection.CallerSide;
    }

    sealed class Node(SimNetwork network, SimProcess process) : IPeerNetwork
    {
        public ValueTask<PeerCall> OpenAsync(string address, string method, ReadOnlyMemory<byte> request, PeerCallOptions options,
            CancellationToken cancellationToken)
        {
            if (SimProcess.Running is { } running && running != process)
                network.World.Violate($"{running.Name} uses the network of {process.Name}");
            return network.OpenAsync(process, address, method, request, options, cancellationToken);
        }
    }
}
