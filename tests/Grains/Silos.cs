using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Embedded;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Hearth.Grains.Peers;
using Hearth.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Grains.Tests;

/// <summary>Some silos over one store and a network in memory, and a gateway of few words.</summary>
sealed class Silos : IAsyncDisposable
{
    readonly string _directory = Directory.CreateTempSubdirectory("hearth-").FullName;
    readonly EmbeddedStore _store;
    readonly HashSet<string> _gone = [];

    public Silos(int count, TimeProvider? time = null, Lease? lease = null)
    {
        Lease = lease ?? Lease.Forever;
        Time = time ?? TimeProvider.System;
        _store = EmbeddedStore.Open(Path.Combine(_directory, "data"), 1 << 24, Time);
        Network = new MemoryPeerNetwork(Time);
        All = [.. Enumerable.Range(0, count).Select(i => new OneSilo(this, i))];
    }

    public TimeProvider Time { get; }
    public Lease Lease { get; }
    public MemoryPeerNetwork Network { get; }
    public IReadOnlyList<OneSilo> All { get; }
    public OneSilo this[int index] => All[index];
    public IGrainStore Store => _store.Grains;
    public string ModelDirectory => _directory;

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>What others take this silo for; it may live on all the same.</summary>
    public void Declare(OneSilo silo, bool isGone)
    {
        lock (_gone)
            _ = isGone ? _gone.Add(silo.Id) : _gone.Remove(silo.Id);
    }

    /// <summary>Lets go of what a test holds up, however it ends.</summary>
    public Action AtEnd { get; init; } = () => { };

    public async ValueTask DisposeAsync()
    {
        AtEnd();
        foreach (var silo in All)
            await silo.Cluster.DisposeAsync();
        _store.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>As if nobody had gone on with any conversation for too long.</summary>
    public Task<int> ExpireAllAsync() => _store.ExpireAsync(TimeSpan.FromMilliseconds(-1), Stop);

    public async Task<string?> OwnerAsync(string conversation) =>
        (await Store.LocateAsync(new GrainId(TenantId.Local.Value, conversation), Stop))?.Owner?.Silo;

    /// <summary>Runs a turn as a gateway does: goes where it is sent, and on with what it has shown.</summary>
    /// <param name="seen">Told of each event, before the next one is read.</param>
    public async Task<List<TurnEvent>> FollowAsync(
        ChatTurn turn, OneSilo first, Action<TurnEvent>? seen = null, IReadOnlyList<TurnEvent>? shown = null)
    {
        List<TurnEvent> events = [.. shown ?? []];
        var at = first;
        for (var tries = 0; tries < 200; tries++)
        {
            var (end, next) = await ReadAsync(at, turn, events, seen);
            if (end)
                return events;
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Stop);
            var owner = next ?? await OwnerAsync(turn.Conversation.Value);
            at = All.FirstOrDefault(s => s.Id == owner && !IsGone(s.Id)) ?? All.First(s => !IsGone(s.Id));
        }
        throw new TimeoutException("The turn went from silo to silo without end.");
    }

    async Task<(bool IsOver, string? Next)> ReadAsync(OneSilo at, ChatTurn turn, List<TurnEvent> events, Action<TurnEvent>? seen)
    {
        var call = JsonSerializer.SerializeToUtf8Bytes(
            new RunTurnCall(turn, events.Count, events), ContractsJson.Default.RunTurnCall);
        try
        {
            await using var answer = await Network.From("gateway")
                .OpenAsync(at.Address, PeerMethods.RunTurn, call, PeerCallOptions.Default, Stop);
            while (await answer.ReceiveAsync(Stop) is { } message)
            {
                var e = JsonSerializer.Deserialize(message.Memory.Span, ContractsJson.Default.TurnEvent)!;
                if (e is TurnFailed { Failure.Error: TurnError.Moved } moved)
                    return (false, moved.Failure.Silo);
                Assert.Equal(events.Count, e.Sequence);
                events.Add(e);
                seen?.Invoke(e);
                if (e is TurnFinished or TurnFailed)
                    return (true, null);
            }
        }
        catch (PeerException e) when (e.Fault is PeerFault.Lost or PeerFault.Unreachable)
        {
            // The next try goes to whoever owns the conversation then.
        }
        return (false, null);
    }

    bool IsGone(string silo)
    {
        lock (_gone)
            return _gone.Contains(silo);
    }

    SiloEntry? Find(string silo) => All.Where(s => s.Id == silo && !IsGone(silo)).Select(s => s.Entry).FirstOrDefault();

    internal sealed class OneSilo
    {
        public OneSilo(Silos silos, int index)
        {
            (Id, Address) = ($"s{index}/1", $"s{index}:1");
            Engine = new FakeEngine(TinyModel.Write(silos.ModelDirectory));
            Model = ServedModel.Load(Engine);
            Store = new FaultyStore(silos.Store);
            var models = new ModelCatalog();
            models.Serve(Model);
            Cluster = new LocalCluster(
                new GrainHostOptions { Silo = Id, SiloIsGone = (other, _) => ValueTask.FromResult(silos.IsGone(other)), Lease = silos.Lease },
                Store, silos._store.Blobs, models, silos.Time, NullLogger.Instance, peers: new SiloPeers
                {
                    Network = silos.Network.From(Address),
                    Find = silos.Find,
                    Choose = (_, except) => silos.All.Where(s => !except.Contains(s.Id)).Select(s => s.Entry).FirstOrDefault(),
                });
            silos.Network.Listen(Address, PeerHandlers.Of(Cluster, () => true));
        }

        public string Id { get; }
        public string Address { get; }
        public SiloEntry Entry => new(Id, Address, SiloStatus.Active, "");
        public FakeEngine Engine { get; }
        public ServedModel Model { get; }
        public FaultyStore Store { get; }
        public LocalCluster Cluster { get; }

        public IReadOnlyList<int> Held(string conversation) => Engine.Held($"{TenantId.Local}/{conversation}");

        public async Task<ConversationInfo?> MoveAsync(string conversation, OneSilo to) => await Cluster.MigrateConversationAsync(
            TenantId.Local, new ConversationId(conversation), to.Id, Stop);
    }
}
