using Hearth.Actors.Membership;
using Hearth.Actors.Storage.Redis;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Hearth.Gateway.Cluster;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Cluster.Bench;

/// <summary>A gateway's way to the silos, with connections of its own.</summary>
sealed class BenchGateway : IAsyncDisposable
{
    readonly RedisStore _store;
    readonly MembershipWatcher _watcher;

    BenchGateway(RedisStore store, MembershipWatcher watcher, int seed)
    {
        (_store, _watcher) = (store, watcher);
        Network = new TcpPeerNetwork(new PeerIdentity("bench"), TimeProvider.System);
        Cluster = new RoutedCluster(
            store.Grains, watcher, Network, new Random(seed), TimeProvider.System, NullLogger.Instance);
    }

    public TcpPeerNetwork Network { get; }
    public RoutedCluster Cluster { get; }

    public static Task<RedisStore> StoreAsync(string redis) => RedisStore.ConnectAsync(
        new RedisOptions { Control = redis, Cluster = "bench", Timeout = TimeSpan.FromSeconds(10) },
        TimeProvider.System, NullLogger.Instance, default).AsTask();

    public static async Task<BenchGateway> StartAsync(string redis, int seed)
    {
        var store = await StoreAsync(redis);
        var watcher = new MembershipWatcher(store.Membership, new MembershipOptions(), TimeProvider.System, NullLogger.Instance);
        await watcher.StartAsync(default);
        return new BenchGateway(store, watcher, seed);
    }

    public static ChatTurn Turn(string conversation, string id) => new()
    {
        Id = new TurnId(id),
        Tenant = TenantId.Local,
        Conversation = new ConversationId(conversation),
        Model = CannedSilo.Model,
        History = HistoryMode.Append,
        Items = [MessageItem.Of(Role.User, "Tell me more about what you said before.")],
        BodyHash = "4f1e5d",
    };

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        await _watcher.DisposeAsync();
        await Network.DisposeAsync();
        await _store.DisposeAsync();
    }
}
