using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Redis;
using Hearth.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Actors.Tests.Storage;

/// <summary>One server for the tests of a class; each test has a cluster name, and so keys, of its own.</summary>
public sealed class SharedRedis : IDisposable
{
    int _clusters;

    public RedisServer Server { get; } = RedisServer.Start();

    public async Task<RedisStore> ConnectAsync() => await RedisStore.ConnectAsync(
        new RedisOptions { Control = Server.Address, Cluster = $"test{Interlocked.Increment(ref _clusters)}" },
        TimeProvider.System, NullLogger.Instance, TestContext.Current.CancellationToken);

    public void Dispose() => Server.Dispose();
}

public sealed class RedisGrainStoreTests(SharedRedis redis) : SharedGrainStoreProperties, IClassFixture<SharedRedis>, IAsyncLifetime
{
    RedisStore? _store;

    protected override IGrainStore Store => _store!.Grains;

    public async ValueTask InitializeAsync() => _store = await redis.ConnectAsync();

    public async ValueTask DisposeAsync() => await _store!.DisposeAsync();
}

public sealed class RedisMembershipStoreTests(SharedRedis redis)
    : SharedMembershipStoreProperties, IClassFixture<SharedRedis>, IAsyncLifetime
{
    RedisStore? _store;

    protected override IMembershipStore Store => _store!.Membership;

    public async ValueTask InitializeAsync() => _store = await redis.ConnectAsync();

    public async ValueTask DisposeAsync() => await _store!.DisposeAsync();
}
