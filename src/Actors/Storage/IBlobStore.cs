namespace Hearth.Actors.Storage;

/// <summary>Large data that a grain can do without: blobs, and one manifest that names those which count.
/// Blobs are written first and never changed; the manifest is published last, atomically and under the fence.
/// Any blob may be gone at any time; who reads one checks it.</summary>
/// <exception cref="StoreException">Any call: the store did not answer.</exception>
public interface IBlobStore
{
    /// <summary>Writes one blob. Names are 1 to <see cref="Limits.BlobNameLengthMax"/> of <c>A-Z a-z 0-9 _ -</c>,
    /// and never used again for other bytes.</summary>
    ValueTask PutAsync(GrainId grain, string name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Reads a blob into the caller's memory, which must not be touched until the call returns.</summary>
    /// <returns>Its length; -1 if it is gone, or longer than the memory (which may throw too).</returns>
    ValueTask<int> ReadAsync(GrainId grain, string name, Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>Makes the manifest the grain's newest, then deletes the blobs that it does not name.</summary>
    ValueTask<PublishOutcome> PublishAsync(
        GrainId grain, Fence fence, BlobManifest manifest, CancellationToken cancellationToken);

    ValueTask<BlobManifest?> ReadManifestAsync(GrainId grain, CancellationToken cancellationToken);

    /// <summary>Deletes manifest and blobs. Idempotent.</summary>
    ValueTask ClearAsync(GrainId grain, CancellationToken cancellationToken);
}

public enum PublishOutcome
{
    Published,
    Fenced,
    /// <summary>A blob that it names is gone: write all of them again.</summary>
    Missing,
}

/// <param name="Data">The owner's description of its blobs.</param>
/// <param name="Names">The blobs that count.</param>
/// <param name="Bytes">Their length together.</param>
/// <param name="Units">What they cover, in the owner's unit; shown to operators.</param>
public sealed record BlobManifest(byte[] Data, IReadOnlyList<string> Names, long Bytes, int Units);
