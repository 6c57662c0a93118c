using System.Collections.Immutable;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;

namespace Hearth.Tests.Shared;

/// <summary>A model of the cluster's store in memory: exactly what the scripts on Redis do, each call at once and whole.
/// Its contents are immutable, so an image of them costs nothing. Not thread-safe.</summary>
public sealed class MemoryStore(TimeProvider time)
{
    MemoryImage _now = MemoryImage.Empty;
    int _incarnations = 1;

    public MemoryGrainStore Grains => field ??= new(this);
    public MemoryBlobStore Blobs => field ??= new(this);
    public MemoryMembershipStore Membership => field ??= new(this);

    /// <summary>Another one after every restart.</summary>
    public string Incarnation => $"memory-{_incarnations}";

    public MemoryImage Image => _now;

    /// <summary>Takes writes of anybody: for a test of what then goes wrong.</summary>
    public bool IgnoresFences { get; set; }

    /// <summary>Comes back as another incarnation, with what it held then.</summary>
    public void Restart(MemoryImage image)
    {
        _incarnations++;
        _now = image;
    }

    internal DateTimeOffset Time => time.GetUtcNow();

    internal MemoryGrain? Find(GrainId grain) => _now.Grains.GetValueOrDefault(grain);

    /// <summary>The grain, if the fence is its owner's.</summary>
    internal MemoryGrain? Owned(GrainId grain, Fence fence) =>
        Find(grain) is { } row && (IgnoresFences || (row.Epoch == fence.Epoch && row.Activation == fence.Activation)) ? row : null;

    internal bool IsDeleted(GrainId grain) =>
        _now.Tombstones.TryGetValue(grain, out var at) && Time - at < Limits.TombstoneAge;

    internal void Change(Func<MemoryImage, MemoryImage> change) => _now = change(_now);

    internal void Put(GrainId grain, MemoryGrain row) => _now = _now with { Grains = _now.Grains.SetItem(grain, row) };
}

/// <summary>All that a store holds at one moment.</summary>
public sealed record MemoryImage
{
    public static MemoryImage Empty { get; } = new();

    public ImmutableDictionary<GrainId, MemoryGrain> Grains { get; init; } = ImmutableDictionary<GrainId, MemoryGrain>.Empty;
    public ImmutableDictionary<GrainId, DateTimeOffset> Tombstones { get; init; } =
        ImmutableDictionary<GrainId, DateTimeOffset>.Empty;
    public ImmutableDictionary<(string Scope, string Key), GrainId> Index { get; init; } =
        ImmutableDictionary<(string, string), GrainId>.Empty;
    public ImmutableDictionary<(GrainId, string), byte[]> Blobs { get; init; } = ImmutableDictionary<(GrainId, string), byte[]>.Empty;
    public ImmutableDictionary<GrainId, BlobManifest> Manifests { get; init; } = ImmutableDictionary<GrainId, BlobManifest>.Empty;

    public long Changes { get; init; }

    public long MembersVersion { get; init; }
    public ImmutableDictionary<string, MemoryMember> Members { get; init; } = ImmutableDictionary<string, MemoryMember>.Empty;
}

/// <param name="Activation">Of the owner; null if there is none.</param>
/// <param name="Silo">The owner's, or the last owner's.</param>
/// <param name="Changed">Grows with each change of any grain.</param>
public sealed record MemoryGrain(long Epoch, string? Activation, string Silo, long Changed)
{
    public ImmutableList<byte[]> Log { get; init; } = [];
    public byte[] Journal { get; init; } = [];
    public byte[] State { get; init; } = [];
    public string? IndexKey { get; init; }
    public ImmutableDictionary<string, MemoryOperation> Operations { get; init; } =
        ImmutableDictionary<string, MemoryOperation>.Empty;
}

public sealed record MemoryOperation(
    long Number, string Hash, OperationStatus Status, long Epoch, DateTimeOffset Changed, byte[]? Request, byte[]? Result);

/// <param name="Number">The version that it joined with.</param>
public sealed record MemoryMember(SiloEntry Entry, long Number, long Beat, byte[] Load);
