using System.Net;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage.Redis;
using Hearth.Actors.Transport;
using Hearth.Grains.Caches;

namespace Hearth.Silo;

/// <summary>Settings of a silo in a cluster.</summary>
public sealed record ClusterSiloOptions
{
    /// <summary>The silo's name; its id has a generation besides, new with every start.</summary>
    public required string Name { get; init; }

    public required ModelSettings Model { get; init; }
    public required RedisOptions Redis { get; init; }
    public required PeerIdentity Identity { get; init; }
    public MembershipOptions Membership { get; init; } = new();

    /// <summary>Where peers are listened for; port 0 takes a free one.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 0);

    /// <summary>host:port that peers are told; where it listens if null.</summary>
    public string? Advertise { get; init; }

    /// <summary>Compresses caches on their way to Redis.</summary>
    public bool CompressSpills { get; init; }

    /// <summary>Keeps caches in Redis as int8: about half the bytes, rounded.</summary>
    public bool Int8Spills { get; init; }

    /// <summary>File of keys under which caches lie encrypted in Redis; null for none.</summary>
    public string? SpillKeyFile { get; init; }

    /// <summary>How long a silo that was told to stop may take to move what it has.</summary>
    public TimeSpan DrainBudget { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Reads the key file, if there is one, as a start would.</summary>
    /// <exception cref="SiloException">The key file is not there or holds no keys.</exception>
    public void CheckSpillKeys() => ReadSpill();

    /// <exception cref="SiloException">The key file is not there or holds no keys.</exception>
    internal SpillOptions ReadSpill()
    {
        try
        {
            return new SpillOptions(CompressSpills, SpillKeyFile is null ? null : SpillKeys.Load(SpillKeyFile), Int8Spills);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new SiloException(error.Message, SiloFault.Option, error);
        }
    }

    /// <summary>How long the last answers of a silo may take to get out.</summary>
    internal static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);
}
