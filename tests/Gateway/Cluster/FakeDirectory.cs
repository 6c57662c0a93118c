using System.Collections.Concurrent;
using Hearth.Actors;
using Hearth.Actors.Storage;

namespace Hearth.Gateway.Tests.Cluster;

/// <summary>The part of a store that gateways use, with owners that a test writes down.</summary>
sealed class FakeDirectory : IGrainStore
{
    public ConcurrentDictionary<GrainId, GrainLocation> Locations { get; } = new();
    public ConcurrentDictionary<GrainId, GrainSummary> Summaries { get; } = new();

    public ConcurrentDictionary<(GrainId, string), StoredOperation> Operations { get; } = new();

    public bool IsDown { get; set; }

    /// <summary>How often an owner was asked for.</summary>
    public int Lookups { get; private set; }

    public void Own(GrainId grain, string silo) => Locations[grain] = new GrainLocation(new GrainOwner(silo, 1, "a"), silo);

    public ValueTask<GrainLocation?> LocateAsync(GrainId grain, CancellationToken cancellationToken) =>
        Answer(() =>
        {
            Lookups++;
            return Locations.GetValueOrDefault(grain);
        });

    public ValueTask<GrainSummary?> DescribeAsync(GrainId grain, CancellationToken cancellationToken) =>
        Answer(() => Summaries.GetValueOrDefault(grain) is { } known
            ? known with { Owner = Locations.GetValueOrDefault(grain)?.Owner ?? known.Owner } : null);

    public ValueTask<IReadOnlyList<GrainSummary>> ListAsync(string scope, int limit, CancellationToken cancellationToken) =>
        Answer<IReadOnlyList<GrainSummary>>(() => [.. Summaries.Values.Where(s => s.Id.Scope == scope).Take(limit)]);

    public ValueTask<bool> DeleteAsync(GrainId grain, CancellationToken cancellationToken) =>
        Answer(() => Summaries.TryRemove(grain, out _) | Locations.TryRemove(grain, out _));

    public ValueTask<GrainId?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken) =>
        Answer<GrainId?>(() => null);

    public ValueTask<StoredOperation?> FindOperationAsync(GrainId grain, string operation, CancellationToken cancellationToken) =>
        Answer<StoredOperation?>(() => Operations.GetValueOrDefault((grain, operation)));

    public ValueTask<AcquireResult> AcquireAsync(GrainId grain, string silo, string activation, string? expectedPrevious,
        CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<WriteOutcome> ReleaseAsync(GrainId grain, Fence fence, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<AcquireResult> HandOverAsync(GrainId grain, Fence fence, string silo, string activation, string? pending,
        CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<BeginResult> BeginAsync(GrainId grain, Fence fence, string operation, string hash,
        ReadOnlyMemory<byte> request, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<CommitResult> CommitAsync(GrainId grain, Fence fence, GrainCommit commit, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<WriteOutcome> EndAsync(GrainId grain, Fence fence, string operation, OperationStatus status,
        CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<GrainSnapshot?> ReadAsync(GrainId grain, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    ValueTask<T> Answer<T>(Func<T> answer) => IsDown
        ? ValueTask.FromException<T>(new StoreException("the store is away"))
        : ValueTask.FromResult(answer());
}
