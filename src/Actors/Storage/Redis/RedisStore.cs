using Hearth.Actors.Membership;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors.Storage.Redis;

/// <summary>The stores of a cluster on Redis: control (membership, directory, transcripts) and spill (cache chunks), always over
/// separate connections, on one server or two.</summary>
public sealed class RedisStore : IAsyncDisposable
{
    RedisStore()
    {
    }

    public IGrainStore Grains => throw new NotImplementedException();
    public IBlobStore Blobs => throw new NotImplementedException();
    public IMembershipStore Membership => throw new NotImplementedException();

    /// <exception cref="StoreException">Redis cannot be reached, or is not fit: the message says what to do.</exception>
    public static ValueTask<RedisStore> ConnectAsync(
        RedisOptions options, TimeProvider time, ILogger logger, CancellationToken cancellationToken) =>
        throw new NotImplementedException($"{options}{time}{logger}{cancellationToken}");

    public ValueTask DisposeAsync() => throw new NotImplementedException();
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
