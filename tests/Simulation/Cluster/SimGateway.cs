using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Gateway.Cluster;
using Hearth.Simulation.Tests.World;

namespace Hearth.Simulation.Tests.Cluster;

/// <summary>A gateway's routing over a simulated world, and the way of a client to it.</summary>
sealed class SimGateway
{
    readonly SimCluster _cluster;
    readonly MembershipWatcher _watcher;
    readonly SimStore _store;
    RoutedCluster? _routed;

    public SimGateway(SimCluster cluster, string name)
    {
        _cluster = cluster;
        Name = name;
        Process = new SimProcess(cluster.World, name, rate: 1 + (cluster.World.Random.NextDouble() - 0.5) * 0.02);
        _store = new SimStore(cluster.Store, Process);
        _watcher = new MembershipWatcher(_store, cluster.Membership, Process.Time, cluster.Logger);
        Process.Start("start", StartAsync);
    }

    public string Name { get; }
    public SimProcess Process { get; }
    public bool IsReady => _routed is not null;

    /// <summary>What is known of the silos here.</summary>
    public MembershipView View => _watcher.View;

    /// <summary>A client's streaming request: each event comes over the network; the stream breaks when the gateway dies.</summary>
    /// <param name="ask">Runs in the gateway.</param>
    /// <param name="onEvent">Runs in the client.</param>
    /// <param name="onEnd">Runs in the client: true if the stream was ended by the gateway, false if it broke.</param>
    /// <returns>Gives the request up, from the client.</returns>
    public Action Stream(SimProcess client, Func<ICluster, CancellationToken, IAsyncEnumerable<TurnEvent>> ask,
        Action<TurnEvent> onEvent, Action<bool> onEnd)
    {
        var stop = new CancellationTokenSource();
        var (ended, last) = (false, TimeSpan.Zero);
        // In order: what is sent later never comes earlier.
        void ToClient(Action what)
        {
            var due = _cluster.World.Now + _cluster.Network.Latency();
            last = due > last ? due : last;
            _cluster.World.At(last - _cluster.World.Now, () => client.Do(what));
        }
        void Event(TurnEvent e)
        {
            if (!ended)
                onEvent(e);
        }
        void End(bool whole)
        {
            if (ended)
                return;
            ended = true;
            onEnd(whole);
        }
        Process.Died += () => ToClient(() => End(false));
        if (Process.IsDead || _routed is null)
        {
            ToClient(() => End(false));
            return () => { };
        }
        _cluster.World.At(_cluster.Network.Latency(), () => Process.Start("request", async () =>
        {
            try
            {
                await foreach (var e in ask(_routed, stop.Token))
                    ToClient(() => Event(e));
                ToClient(() => End(true));
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                ToClient(() => End(false));
            }
        }));
        return () =>
        {
            ended = true;
            _cluster.World.At(_cluster.Network.Latency(), () => Process.Do(stop.Cancel));
        };
    }

    /// <summary>A client's request with one answer; the exception is what the gateway says.</summary>
    public void Ask<T>(SimProcess client, Func<ICluster, Task<T>> ask, Action<T?, Exception?> onAnswer)
    {
        if (_routed is null)
            return;
        Process.Start("request", async () =>
        {
            T? answer = default;
            Exception? failure = null;
            try
            {
                answer = await ask(_routed);
            }
            catch (TurnFailedException e)
            {
                failure = e;
            }
            _cluster.World.At(_cluster.Network.Latency(), () => client.Do(() => onAnswer(answer, failure)));
        });
    }

    /// <summary>Gives back the metrics, which the process of the tests would keep.</summary>
    public void Dispose() => _routed?.DisposeAsync().AsTask();

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
                await Task.Delay(TimeSpan.FromMilliseconds(300), Process.Time);
            }
        }
        _routed = new RoutedCluster(_store, _watcher, _cluster.Network.For(Process),
            new Random(_cluster.World.Random.Next()), Process.Time, _cluster.Logger);
    }
}
