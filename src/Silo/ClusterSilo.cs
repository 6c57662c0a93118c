using System.Reflection;
using System.Security.Cryptography;
using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.History;
using Hearth.Actors.Membership;
using Hearth.Actors.Metrics;
using Hearth.Actors.Placement;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Redis;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Hearth.Grains;
using Hearth.Grains.Peers;
using Microsoft.Extensions.Logging;

namespace Hearth.Silo;

/// <summary>A worker of a cluster, put together. Up: Redis, the view of the others, grains, the model; in the table as Joining
/// when its weights are read, as Active when it serves. Down: Draining, everything handed on, out of the table.</summary>
public sealed class ClusterSilo : IAsyncDisposable
{
    readonly ClusterSiloOptions _options;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly RedisStore _store;
    readonly HistoryWriter? _history;
    readonly MembershipWatcher _watcher;
    readonly SiloMember _member;
    readonly TcpPeerNetwork _network;
    readonly ModelHost _model;
    readonly LocalCluster _cluster;
    readonly SiloMetrics _metrics;
    readonly MembershipMetrics _membership;
    readonly Placer _placer;
    readonly TaskCompletionSource _drainAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly CancellationTokenSource _stop = new();
    Task _balancing = Task.CompletedTask;
    long _activeSince;
    PeerServer? _server;

    ClusterSilo(ClusterSiloOptions options, RedisStore store, ILoggerFactory loggers, TimeProvider time)
    {
        (_options, _store, _time) = (options, store, time);
        _logger = loggers.CreateLogger("Hearth.Silo");
        Id = $"{options.Name}/{SiloMember.NewGeneration()}";
        _history = HistoryWriter.FromEnvironment(Id, time);
        _model = new ModelHost(options.Model, loggers, time);
        var members = _history is null ? store.Membership : new RecordingMembershipStore(store.Membership, _history);
        _watcher = new MembershipWatcher(members, options.Membership, time, _logger);
        _member = new SiloMember(members, options.Membership, () => _cluster!.Load, time, _logger);
        _placer = new Placer(_watcher, new Random(RandomNumberGenerator.GetInt32(int.MaxValue)), time);
        _network = new TcpPeerNetwork(options.Identity, time);
        _cluster = new LocalCluster(
            new GrainHostOptions { Silo = Id, SiloIsGone = _watcher.IsGoneAsync, Lease = _member.Lease },
            _history is null ? store.Grains : new RecordingGrainStore(store.Grains, _history),
            _history is null ? store.Blobs : new RecordingBlobStore(store.Blobs, _history),
            _model.Catalog, time, loggers.CreateLogger("Hearth.Grains"), options.ReadSpill(),
            new SiloPeers { Network = _network, Find = Find, Choose = (model, except) => _placer.Place(model, 0, except) });
        _member.Revalidate = RevalidateAsync;
        (_metrics, _membership) = (new SiloMetrics(_cluster), new MembershipMetrics(_watcher));
        _metrics.Join(_member, _cluster, () => Id, options.Model.Device);
    }

    /// <summary>Name and generation: another one after the cluster's store came back without this silo.</summary>
    public string Id { get; private set; }

    /// <summary>Where peers are told to call.</summary>
    public string Address => _options.Advertise ?? _server?.Address.ToString() ?? _options.Listen.ToString();

    /// <summary>Its own conversations, for probes and metrics.</summary>
    public ICluster Cluster => _cluster;

    /// <summary>What its probes tell. It is ready when the gateways see it as well: whoever restarts silos one after the other
    /// goes on to the next when this one is.</summary>
    public ClusterStatus Status => _cluster.Status is var status && (!status.Ready || IsSeen)
        ? status
        : status with { Ready = false, Started = false, Reason = "joining the cluster" };

    /// <summary>Completes when this silo was declared dead: nothing of it may be kept, and the process ends.</summary>
    public Task Died => _member.Died;

    /// <summary>Completes when a peer asked this silo to drain.</summary>
    public Task DrainAsked => _drainAsked.Task;

    /// <summary>Connects to Redis and begins to watch the others.</summary>
    /// <exception cref="SiloException">Redis cannot be reached or is not fit, or an option is at fault.</exception>
    public static Task<ClusterSilo> OpenAsync(
        ClusterSiloOptions options, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellationToken) =>
        SiloException.GuardAsync(async () =>
        {
            var store = await RedisStore.ConnectAsync(
                options.Redis, time, loggers.CreateLogger("Hearth.Redis"), cancellationToken);
            var silo = new ClusterSilo(options, store, loggers, time);
            try
            {
                await silo._watcher.StartAsync(cancellationToken);
                return silo;
            }
            catch
            {
                await silo.DisposeAsync();
                throw;
            }
        });

    /// <summary>Loads the model, joins, and serves.</summary>
    /// <param name="progress">Bytes of weights read, and all of them; called from several threads, one at a time.</param>
    /// <exception cref="SiloException">The checkpoint cannot be served, the address not be listened on, or Redis is
    /// gone.</exception>
    public async Task LoadAsync(Action<long, long> progress, CancellationToken cancellationToken)
    {
        var card = await _model.ReadAsync(progress, cancellationToken);
        await SiloException.GuardAsync(async () =>
        {
            await JoinAsync(card, cancellationToken);
            await _model.ServeAsync(cancellationToken);
            await UntilKnownAsync(card.Name, cancellationToken);
            await _member.SetStatusAsync(SiloStatus.Active, cancellationToken);
            Volatile.Write(ref _activeSince, _time.GetTimestamp());
            return true;
        });
        _balancing = new BalanceLoop(_cluster, _watcher, () => Id, _time, _logger).RunAsync(_stop.Token);
    }

    /// <summary>Takes no more conversations, hands on those it has, and leaves the cluster.</summary>
    /// <param name="hurry">Leaves with what could be handed on until then; the rest goes to the store or is recomputed.</param>
    public async Task DrainAsync(CancellationToken hurry)
    {
        using var budget = new CancellationTokenSource(_options.DrainBudget, _time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(budget.Token, hurry);
        await _stop.CancelAsync();
        await _balancing;
        try
        {
            await _member.SetStatusAsync(SiloStatus.Draining, end.Token);
            var report = await _cluster.DrainAsync(null, end.Token);
            SiloLog.Drained(_logger, report.Moved, report.Released);
        }
        catch (Exception e) when (e is OperationCanceledException or StoreException or LeaseLostException)
        {
            SiloLog.DrainCut(_logger, e.Message);
        }
        // Activations end here: what is still held is released, and their caches are written.
        await _cluster.DisposeAsync();
        if (_server is not null)
            await _server.StopAsync(ClusterSiloOptions.LastWords);
        await LeaveAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _balancing;
        if (!Died.IsCompleted)
            await _cluster.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
        await _member.DisposeAsync();
        await _network.DisposeAsync();
        await _watcher.DisposeAsync();
        await _model.DisposeAsync();
        await _store.DisposeAsync();
        _history?.Dispose();
        _metrics.Dispose();
        _membership.Dispose();
    }

    /// <summary>Everyone has looked at the table since it is active there.</summary>
    bool IsSeen => Volatile.Read(ref _activeSince) is not 0 and var since
        && _time.GetElapsedTime(since) >= 2 * _options.Membership.Watch;

    async Task JoinAsync(ModelCard card, CancellationToken cancellationToken)
    {
        var handlers = PeerHandlers.Of(_cluster, _drainAsked.TrySetResult);
        _server = await PeerServer.StartAsync(
            new PeerServerOptions { Listen = _options.Listen, Identity = _options.Identity, Time = _time }, handlers);
        var version = typeof(ClusterSilo).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        var description = new SiloDescription(Environment.ProcessId, _options.Model.Device, version.Split('+')[0], [card]);
        await _member.JoinAsync(
            new SiloEntry(Id, Address, SiloStatus.Joining,
                JsonSerializer.Serialize(description, ContractsJson.Default.SiloDescription)), cancellationToken);
    }

    SiloEntry? Find(string silo) =>
        _watcher.View.Silos.FirstOrDefault(s => (s.Id == silo || s.Name == silo) && s.Status == SiloStatus.Active);

    /// <summary>The store is another one than before: who is in it no more begins anew.</summary>
    async Task RevalidateAsync(CancellationToken cancellationToken)
    {
        if (_member.Silo == Id)
        {
            await _cluster.RevalidateAsync(cancellationToken);
            return;
        }
        await _cluster.RejoinAsync(_member.Silo);
        Id = _member.Silo;
    }

    /// <summary>Waits until the table says that the model is served here: who sees an Active silo can use it.</summary>
    async Task UntilKnownAsync(string model, CancellationToken cancellationToken)
    {
        do
        {
            await Task.Delay(_options.Membership.Beat, _time, cancellationToken);
            await _watcher.RefreshAsync(cancellationToken);
        }
        while (!_watcher.LoadOf(Id).Models.Contains(model));
    }

    async Task LeaveAsync()
    {
        using var patience = new CancellationTokenSource(_options.Membership.Lease, _time);
        try
        {
            await _member.LeaveAsync(patience.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or StoreException)
        {
            // Its lease runs out: the others find out by themselves.
            SiloLog.LeftSilently(_logger, e.Message);
        }
    }
}

static partial class SiloLog
{
    [LoggerMessage(301, LogLevel.Warning, "Not everything could be handed on: {Reason}")]
    public static partial void DrainCut(ILogger logger, string reason);

    [LoggerMessage(303, LogLevel.Information, "{Count} conversations went to {Target}, which has more room")]
    public static partial void Balanced(ILogger logger, int count, string target);

    [LoggerMessage(304, LogLevel.Information, "Drained: {Moved} conversations moved, {Released} left to the store")]
    public static partial void Drained(ILogger logger, int moved, int released);

    [LoggerMessage(305, LogLevel.Information, "{Count} conversations without a turn for {Retention} were removed")]
    public static partial void Expired(ILogger logger, int count, TimeSpan retention);

    [LoggerMessage(306, LogLevel.Warning, "Old conversations could not be removed ({Reason}); it is tried again in an hour")]
    public static partial void ExpireFailed(ILogger logger, string reason);

    [LoggerMessage(302, LogLevel.Warning, "The cluster could not be told that this silo leaves: {Reason}")]
    public static partial void LeftSilently(ILogger logger, string reason);
}
