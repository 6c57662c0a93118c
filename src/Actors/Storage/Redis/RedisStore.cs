using Hearth.Actors.Membership;
using Hearth.Actors.Metrics;
using Hearth.Actors.Storage.Redis.Blobs;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors.Storage.Redis;

/// <summary>The stores of a cluster on Redis: control (membership, directory, transcripts) and spill (cache chunks), always over
/// separate connections, on one server or two.</summary>
public sealed class RedisStore : IAsyncDisposable
{
    readonly RedisLink _control;
    readonly RedisThread _members;
    readonly RedisBlobStore _blobs;

    RedisStore(RedisLink control, RedisThread members, RedisAddress spill, RedisOptions options, RedisKeys keys,
        TimeProvider time, ILogger logger)
    {
        (_control, _members) = (control, members);
        var index = new RedisGrainIndex(control, keys, options.Retention, logger);
        var grains = new RedisGrainStore(control, keys, index, options.Retention);
        // No cache outlives its grain.
        var age = options.Retention < options.SpillAge ? options.Retention.Value : options.SpillAge;
        _blobs = new RedisBlobStore(grains, new BlobClient(spill, Limits.BlobTimeout), keys, age);
        grains.ClearBlobs = _blobs.ClearAsync;
        Grains = new MeteredGrainStore(grains, new StoreClock(time, RedisRole.Control));
        Blobs = new MeteredBlobStore(_blobs, new StoreClock(time, RedisRole.Spill));
        Membership = new MeteredMembershipStore(
            new RedisMembershipStore(members, keys), new StoreClock(time, RedisRole.Members));
    }

    public IGrainStore Grains { get; }
    public IBlobStore Blobs { get; }
    public IMembershipStore Membership { get; }

    /// <exception cref="StoreException">Redis cannot be reached, or is not fit: the message says what to do.</exception>
    public static async ValueTask<RedisStore> ConnectAsync(
        RedisOptions options, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        var keys = new RedisKeys(options.Cluster);
        var spill = RedisAddress.Parse(options.Spill ?? options.Control);
        var control = await LinkAsync(options, time, logger, cancellationToken);
        // Beats have a connection of their own: a large transcript must not delay them.
        var members = new RedisThread(RedisAddress.Parse(options.Control), "members", options.Timeout, time);
        var store = new RedisStore(control, members, spill, options, keys, time, logger);
        try
        {
            await store.Membership.ReadAsync(cancellationToken);
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _blobs.Dispose();
        await _control.DisposeAsync();
        _members.Dispose();
    }

    static async Task<RedisLink> LinkAsync(
        RedisOptions options, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        var connector = new RedisConnector(options.Control, "control", options.Timeout, time, logger);
        try
        {
            return await RedisLink.ConnectAsync(connector, options.Timeout, time, logger, cancellationToken);
        }
        catch
        {
            connector.Dispose();
            throw;
        }
    }
}

public sealed record RedisOptions
{
    /// <summary>host:port[,host:port…][,password=…][,ssl=true…]: see <see cref="RedisAddress"/>.</summary>
    public required string Control { get; init; }

    /// <summary>The same for cache chunks; null for the control server.</summary>
    public string? Spill { get; init; }

    /// <summary>First part of every key: clusters of other names share a server without meeting.</summary>
    public string Cluster { get; init; } = "hearth";

    /// <summary>How long an unused spilled cache stays.</summary>
    public TimeSpan SpillAge { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How long a grain stays after its last operation, with all that belongs to it; null for ever. The same in all
    /// processes of a cluster.</summary>
    public TimeSpan? Retention { get; init; }

    /// <summary>Longest wait for an answer; after it the outcome is unknown.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);
}
