using Hearth.Actors.Storage;

namespace Hearth.Actors.History;

/// <summary>Records the manifests: the one write of a blob store that carries a fence.</summary>
public sealed class RecordingBlobStore(IBlobStore inner, HistoryWriter history) : IBlobStore
{
    public ValueTask PutAsync(GrainId grain, string name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        inner.PutAsync(grain, name, data, cancellationToken);

    public ValueTask<int> ReadAsync(
        GrainId grain, string name, Memory<byte> destination, CancellationToken cancellationToken) =>
        inner.ReadAsync(grain, name, destination, cancellationToken);

    public ValueTask<PublishOutcome> PublishAsync(
        GrainId grain, Fence fence, BlobManifest manifest, CancellationToken cancellationToken) =>
        history.CallAsync("publish", json =>
        {
            RecordingGrainStore.WriteFence(json, grain, fence);
            json.WriteString("manifest", HistoryWriter.HashOf(manifest.Data));
        }, () => inner.PublishAsync(grain, fence, manifest, cancellationToken),
        (json, outcome) => RecordingGrainStore.WriteOutcome(json, outcome));

    public ValueTask<BlobManifest?> ReadManifestAsync(GrainId grain, CancellationToken cancellationToken) =>
        inner.ReadManifestAsync(grain, cancellationToken);

    public ValueTask ClearAsync(GrainId grain, CancellationToken cancellationToken) => inner.ClearAsync(grain, cancellationToken);
}
