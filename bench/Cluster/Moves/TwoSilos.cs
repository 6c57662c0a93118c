using System.Net;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage.Redis;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Hearth.Engine;
using Hearth.Engine.Models;
using Hearth.Grains;
using Hearth.Grains.Peers;
using Hearth.Kernels;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Cluster.Bench;

/// <summary>Two silos of one process as a worker puts them together, except that each knows the other beforehand: engines of
/// one thread, a store on Redis, and TCP between them.</summary>
sealed class TwoSilos : IAsyncDisposable
{
    readonly LoadedModel _model;
    readonly RedisStore _store;
    readonly TcpPeerNetwork _network = new(new PeerIdentity("moves"), TimeProvider.System);
    readonly OneSilo[] _silos;

    TwoSilos(LoadedModel model, RedisStore store, int blocks)
    {
        (_model, _store, Copies) = (model, store, new CopyMeter(_network, Trace));
        _silos = [new OneSilo(this, 0, blocks), new OneSilo(this, 1, blocks)];
    }

    public OneSilo this[int index] => _silos[index];
    public string Model => _model.Card.Name;
    public IPeerNetwork Network => _network;

    /// <summary>When what happens in a move.</summary>
    public MoveTrace Trace { get; } = new();

    /// <summary>What moves have sent.</summary>
    public CopyMeter Copies { get; }

    /// <param name="redis">host:port.</param>
    /// <param name="blocks">Of each engine's pool.</param>
    public static async Task<TwoSilos> StartAsync(string redis, string directory, int blocks, CancellationToken cancellationToken)
    {
        var store = await RedisStore.ConnectAsync(
            new RedisOptions { Control = redis, Cluster = $"moves-{SiloMember.NewGeneration()}" }, TimeProvider.System,
            NullLogger.Instance, cancellationToken);
        var model = LoadedModel.Load(directory, new ModelOptions { KvType = DType.F16, Threads = 1 }, cancellationToken);
        var silos = new TwoSilos(model, store, blocks);
        foreach (var silo in silos._silos)
            await silo.ListenAsync();
        return silos;
    }

    public int IndexOf(string silo) => Array.FindIndex(_silos, s => s.Id == silo);

    /// <returns>Null if it is at the other silo now, else why it is not.</returns>
    public async Task<string?> MoveAsync(int from, ConversationId conversation, CancellationToken cancellationToken)
    {
        try
        {
            var now = await _silos[from].Cluster.MigrateConversationAsync(
                TenantId.Local, conversation, _silos[1 - from].Id, cancellationToken);
            return now is null ? "it does not exist yet" : null;
        }
        catch (TurnFailedException e)
        {
            return e.Message;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in _silos)
            await silo.DisposeAsync();
        await _network.DisposeAsync();
        await _store.DisposeAsync();
        _model.Dispose();
    }

    internal sealed class OneSilo : IAsyncDisposable
    {
        PeerServer? _server;

        public OneSilo(TwoSilos silos, int index, int blocks)
        {
            Id = $"s{index}/1";
            Engine = TokenEngine.Create(silos._model, new EngineOptions
            {
                Threads = 1,
                KvMemoryBytes = silos._model.KvLayout.BlockBytes * blocks,
                HostMemoryBytes = 0,
                MaxSequences = 16,
                MaxBatchTokens = 128,
            }, NullLogger.Instance, TimeProvider.System);
            var models = new ModelCatalog();
            models.Serve(ServedModel.Load(new TracedEngine(Engine, silos.Trace)));
            Cluster = new LocalCluster(
                new GrainHostOptions { Silo = Id, SiloIsGone = (_, _) => ValueTask.FromResult(false) },
                silos._store.Grains, silos._store.Blobs, models, TimeProvider.System, NullLogger.Instance, null,
                new SiloPeers
                {
                    Network = silos.Copies,
                    Find = id => silos._silos.Where(s => s.Id == id).Select(s => s.Entry).FirstOrDefault(),
                    Choose = (_, except) => silos._silos.Where(s => !except.Contains(s.Id)).Select(s => s.Entry).FirstOrDefault(),
                });
        }

        public string Id { get; }
        public TokenEngine Engine { get; }
        public LocalCluster Cluster { get; }
        public string Address => _server!.Address.ToString();
        SiloEntry Entry => new(Id, Address, SiloStatus.Active, "");

        public async Task ListenAsync() => _server = await PeerServer.StartAsync(
            new() { Listen = new IPEndPoint(IPAddress.Loopback, 0), Identity = new PeerIdentity("moves") },
            PeerHandlers.Of(Cluster, () => false));

        /// <returns>Blocks that the engine holds for a conversation.</returns>
        public int BlocksOf(ConversationId conversation) =>
            (Engine.DescribeCache(CacheOf(conversation)).Tokens + Engine.BlockTokens - 1) / Engine.BlockTokens;

        public ValueTask DropAsync(ConversationId conversation) => Engine.DropAsync(CacheOf(conversation), default);

        /// <summary>Waits until so many blocks are used; the engine says so at its next step.</summary>
        /// <returns>Those that are used in the end.</returns>
        public async Task<int> SettleAsync(int blocks)
        {
            for (var tries = 0; tries < 400 && Engine.Load.BlocksUsed != blocks; tries++)
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
            return Engine.Load.BlocksUsed;
        }

        public async ValueTask DisposeAsync()
        {
            await Cluster.DisposeAsync();
            if (_server is not null)
                await _server.DisposeAsync();
            await Engine.DisposeAsync();
        }

        static CacheId CacheOf(ConversationId conversation) =>
            new(new GrainId(TenantId.Local.Value, conversation.Value).ToString());
    }
}
