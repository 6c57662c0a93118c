using Hearth.Actors.Membership;
using Hearth.Actors.Storage;

namespace Hearth.Actors.Metrics;

/// <summary>Measures the calls to a store of blobs.</summary>
sealed class MeteredBlobStore(IBlobStore inner, StoreClock clock) : IBlobStore
{
    public ValueTask PutAsync(GrainId grain, string name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        clock.CallAsync(() => inner.PutAsync(grain, name, data, cancellationToken));

    public ValueTask<int> ReadAsync(GrainId grain, string name, Memory<byte> destination, CancellationToken cancellationToken) =>
        clock.CallAsync(null, () => inner.ReadAsync(grain, name, destination, cancellationToken));

    public async ValueTask<PublishOutcome> PublishAsync(
        GrainId grain, Fence fence, BlobManifest manifest, CancellationToken cancellationToken)
    {
        var outcome = await clock.CallAsync(null, () => inner.PublishAsync(grain, fence, manifest, cancellationToken));
        if (outcome == PublishOutcome.Fenced)
            StoreMetrics.Fenced("publish");
        return outcome;
    }

    public ValueTask<BlobManifest?> ReadManifestAsync(GrainId grain, CancellationToken cancellationToken) =>
        clock.CallAsync(null, () => inner.ReadManifestAsync(grain, cancellationToken));

    public ValueTask ClearAsync(GrainId grain, CancellationToken cancellationToken) =>
        clock.CallAsync(() => inner.ClearAsync(grain, cancellationToken));
}

/// <summary>Measures the calls to the membership's store. Nothing here waits for the thread pool, as its caller must
/// not.</summary>
sealed class MeteredMembershipStore(IMembershipStore inner, StoreClock clock) : IMembershipStore
{
    public ValueTask<bool> JoinAsync(SiloEntry silo, CancellationToken cancellationToken) =>
        clock.CallAsync(null, () => inner.JoinAsync(silo, cancellationToken));

    public ValueTask<BeatResult> BeatAsync(string silo, ReadOnlyMemory<byte> load, CancellationToken cancellationToken) =>
        clock.CallAsync(null, () => inner.BeatAsync(silo, load, cancellationToken));

    public ValueTask<bool> SetStatusAsync(string silo, SiloStatus status, CancellationToken cancellationToken) =>
        clock.CallAsync(null, () => inner.SetStatusAsync(silo, status, cancellationToken));

    public ValueTask<bool> DeclareDeadAsync(string silo, long beat, CancellationToken cancellationToken) =>
        clock.CallAsync(null, () => inner.DeclareDeadAsync(silo, beat, cancellationToken));

    public ValueTask<MembershipSnapshot> ReadAsync(CancellationToken cancellationToken) =>
        clock.CallAsync(null, () => inner.ReadAsync(cancellationToken));

    public ValueTask PruneAsync(int keep, CancellationToken cancellationToken) =>
        clock.CallAsync(() => inner.PruneAsync(keep, cancellationToken));
}
