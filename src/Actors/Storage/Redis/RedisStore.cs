using Hearth.Actors.Membership;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors.Storage.Redis;

/// <summary>The stores of a cluster on Redis: control (membership, directory, transcripts) and spill (cache chunks), always over
/// separate connections, on one server or two.</summary>
public sealed class RedisStore : IAsyncDisposable
{
    readonly RedisLink _control;
    readonly RedisLink _members;

    RedisStore(RedisLink control, RedisLink members, RedisKeys keys, ILogger logger)
    {
        (_control, _members) = (control, members);
        Grains = new RedisGrainStore(control, keys, new RedisGrainIndex(control, keys, logger));
        Membership = new RedisMembershipStore(members, keys);
    }

    public IGrainStore Grains { get; }
    public IBlobStore Blobs => throw new NotImplementedException();
    public IMembershipStore Membership { get; }

    /// <exception cref="StoreException">Redis cannot be reached, or is not fit: the message says what to do.</exception>
    public static async ValueTask<RedisStore> ConnectAsync(
        RedisOptions options, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        var keys = new RedisKeys(options.Cluster);
        var control = await LinkAsync("control", options, time, logger, cancellationToken);
        try
        {
            // Beats have a connection of their own: a large transcript must not delay them.
            var members = await LinkAsync("members", options, time, logger, cancellationToken);
            return new RedisStore(control, members, keys, logger);
        }
        catch
        {
            await control.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _control.DisposeAsync();
        await _members.DisposeAsync();
    }

    static async Task<RedisLink> LinkAsync(
        string role, RedisOptions options, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        var connector = new RedisConnector(options.Control, role, options.Timeout, time, logger);
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
    /// <summary>host:port[,host:port…][,password=…], as StackExchange.Redis reads it.</summary>
    public required string Control { get; init; }

    /// <summary>The same for cache chunks; null for the control server.</summary>
    public string? Spill { get; init; }

    /// <summary>First part of every key: clusters of other names share a server without meeting.</summary>
    public string Cluster { get; init; } = "hearth";

    /// <summary>How long an unused spilled cache stays.</summary>
    public TimeSpan SpillAge { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Longest wait for an answer; after it the outcome is unknown.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);
}
