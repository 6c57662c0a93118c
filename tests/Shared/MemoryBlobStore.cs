using Hearth.Actors;
using Hearth.Actors.Storage;

namespace Hearth.Tests.Shared;

/// <summary>The blobs of a <see cref="MemoryStore"/>.</summary>
public sealed class MemoryBlobStore(MemoryStore store) : IBlobStore
{
    public ValueTask PutAsync(GrainId grain, string name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        store.Change(image => image with { Blobs = image.Blobs.SetItem((grain, name), data.ToArray()) });
        return ValueTask.CompletedTask;
    }

    public ValueTask<int> ReadAsync(GrainId grain, string name, Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (store.Image.Blobs.GetValueOrDefault((grain, name)) is not { } data || data.Length > destination.Length)
            return ValueTask.FromResult(-1);
        data.CopyTo(destination);
        return ValueTask.FromResult(data.Length);
    }

    public ValueTask<PublishOutcome> PublishAsync(
        GrainId grain, Fence fence, BlobManifest manifest, CancellationToken cancellationToken)
    {
        if (store.Owned(grain, fence) is null)
            return ValueTask.FromResult(PublishOutcome.Fenced);
        if (manifest.Names.Any(name => !store.Image.Blobs.ContainsKey((grain, name))))
            return ValueTask.FromResult(PublishOutcome.Missing);
        store.Change(image => image with { Manifests = image.Manifests.SetItem(grain, manifest) });
        Remove(grain, name => !manifest.Names.Contains(name));
        return ValueTask.FromResult(PublishOutcome.Published);
    }

    public ValueTask<BlobManifest?> ReadManifestAsync(GrainId grain, CancellationToken cancellationToken) =>
        ValueTask.FromResult(store.Image.Manifests.GetValueOrDefault(grain));

    public ValueTask ClearAsync(GrainId grain, CancellationToken cancellationToken)
    {
        store.Change(image => image with { Manifests = image.Manifests.Remove(grain) });
        Remove(grain, _ => true);
        return ValueTask.CompletedTask;
    }

    /// <summary>As a full server evicts.</summary>
    public void Evict(GrainId grain, string name) => Remove(grain, n => n == name);

    void Remove(GrainId grain, Func<string, bool> which) => store.Change(image => image with
    {
        Blobs = image.Blobs.RemoveRange(image.Blobs.Keys.Where(k => k.Item1 == grain && which(k.Item2))),
    });
}
