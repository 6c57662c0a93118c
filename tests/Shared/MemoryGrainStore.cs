using Hearth.Actors;
using Hearth.Actors.Storage;

namespace Hearth.Tests.Shared;

/// <summary>The grains of a <see cref="MemoryStore"/>.</summary>
public sealed class MemoryGrainStore(MemoryStore store) : IGrainStore
{
    public ValueTask<AcquireResult> AcquireAsync(
        GrainId grain, string silo, string activation, string? expectedPrevious, CancellationToken cancellationToken)
    {
        if (store.IsDeleted(grain))
            return Is(new AcquireResult(AcquireOutcome.Deleted));
        var row = store.Find(grain);
        if (row is { Activation: { } owner } && owner != expectedPrevious)
            return Is(new AcquireResult(AcquireOutcome.Owned, 0, new GrainOwner(row.Silo, row.Epoch, owner)));
        store.Put(grain, row is null
            ? new MemoryGrain(1, activation, silo, NextChange())
            : row with { Epoch = row.Epoch + 1, Activation = activation, Silo = silo });
        return Is(new AcquireResult(AcquireOutcome.Acquired, (row?.Epoch ?? 0) + 1, null, row?.Silo));
    }

    public ValueTask<WriteOutcome> ReleaseAsync(GrainId grain, Fence fence, CancellationToken cancellationToken)
    {
        if (store.Owned(grain, fence) is not { } row)
            return Is(WriteOutcome.Fenced);
        store.Put(grain, row with { Activation = null });
        return Is(WriteOutcome.Done);
    }

    public ValueTask<AcquireResult> HandOverAsync(GrainId grain, Fence fence, string silo, string activation, string? pending,
        CancellationToken cancellationToken)
    {
        if (store.IsDeleted(grain))
            return Is(new AcquireResult(AcquireOutcome.Deleted));
        if (store.Owned(grain, fence) is not { } row)
            return Is(new AcquireResult(AcquireOutcome.Fenced));
        var next = row with { Epoch = row.Epoch + 1, Activation = activation, Silo = silo };
        if (pending is not null && row.Operations.GetValueOrDefault(pending) is { Status: OperationStatus.Pending } operation)
            next = next with { Operations = next.Operations.SetItem(pending, operation with { Epoch = next.Epoch }) };
        store.Put(grain, next);
        return Is(new AcquireResult(AcquireOutcome.Acquired, next.Epoch, null, row.Silo));
    }

    public ValueTask<GrainLocation?> LocateAsync(GrainId grain, CancellationToken cancellationToken) =>
        Is(store.Find(grain) is { } row ? new GrainLocation(OwnerOf(row), row.Silo) : null);

    public ValueTask<BeginResult> BeginAsync(GrainId grain, Fence fence, string operation, string hash,
        ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(operation.Length, Limits.OperationLengthMax);
        if (store.Owned(grain, fence) is not { } row)
            return Is(new BeginResult(BeginOutcome.Fenced));
        var known = row.Operations.GetValueOrDefault(operation);
        if (known is not null && known.Hash != hash)
            return Is(new BeginResult(BeginOutcome.Conflict));
        if (known is { Status: OperationStatus.Committed })
            return Is(new BeginResult(BeginOutcome.Committed, known.Result));
        var pending = known is { Status: OperationStatus.Pending };
        if (pending && known!.Epoch == fence.Epoch)
            return Is(new BeginResult(BeginOutcome.Pending));
        var number = known?.Number ?? 1 + row.Operations.Values.Select(o => o.Number).DefaultIfEmpty(0).Max();
        var kept = known is null ? WithoutOld(row, number) : row.Operations;
        store.Put(grain, row with
        {
            Operations = kept.SetItem(operation, new MemoryOperation(number, hash, OperationStatus.Pending, fence.Epoch, store.Time,
                pending ? known!.Request : request.ToArray(), null)),
        });
        return Is(new BeginResult(pending ? BeginOutcome.TakenOver : BeginOutcome.Begun));
    }

    public ValueTask<StoredOperation?> FindOperationAsync(GrainId grain, string operation, CancellationToken cancellationToken) =>
        Is(store.Find(grain)?.Operations.GetValueOrDefault(operation) is { } o
            ? new StoredOperation(operation, o.Status, o.Hash, o.Epoch, o.Request, o.Result)
            : null);

    public ValueTask<CommitResult> CommitAsync(GrainId grain, Fence fence, GrainCommit commit, CancellationToken cancellationToken)
    {
        if (store.Owned(grain, fence) is not { } row)
            return Is(new CommitResult(CommitOutcome.Fenced));
        var length = row.Log.Count;
        var operation = commit.Operation is { } id ? row.Operations.GetValueOrDefault(id) : null;
        if (commit.Operation is not null)
        {
            if (operation is null or { Status: OperationStatus.Failed or OperationStatus.Cancelled })
                return Is(new CommitResult(CommitOutcome.NotBegun));
            if (operation.Hash != commit.Hash)
                return Is(new CommitResult(CommitOutcome.Conflict));
            if (operation.Status == OperationStatus.Committed)
            {
                // The index is written after the commit: whoever asks again makes good what may have been left out.
                WriteIndex(grain, null, row.IndexKey);
                return Is(new CommitResult(CommitOutcome.Duplicate, length));
            }
        }
        if (length != commit.ExpectedLength || commit.Keep > length || commit.JournalKeep > row.Journal.Length)
            return Is(new CommitResult(CommitOutcome.LengthMismatch, length));
        var next = row with
        {
            Log = row.Log.RemoveRange(commit.Keep, length - commit.Keep).AddRange(commit.Append.Select(e => e.ToArray())),
            Journal = [.. row.Journal.AsSpan(0, commit.JournalKeep), .. commit.JournalAppend.Span],
            State = commit.State.ToArray(),
            IndexKey = commit.IndexKey,
            Changed = NextChange(),
        };
        if (operation is not null)
        {
            var done = operation with
            {
                Status = OperationStatus.Committed,
                Epoch = fence.Epoch,
                Changed = store.Time,
                Request = null,
                Result = commit.Result.ToArray(),
            };
            next = next with { Operations = next.Operations.SetItem(commit.Operation!, done) };
        }
        store.Put(grain, next);
        WriteIndex(grain, row.IndexKey, commit.IndexKey);
        return Is(new CommitResult(CommitOutcome.Done, next.Log.Count));
    }

    public ValueTask<WriteOutcome> EndAsync(
        GrainId grain, Fence fence, string operation, OperationStatus status, CancellationToken cancellationToken)
    {
        if (store.Owned(grain, fence) is not { } row)
            return Is(WriteOutcome.Fenced);
        if (row.Operations.GetValueOrDefault(operation) is not { Status: OperationStatus.Pending } known)
            return Is(WriteOutcome.NotFound);
        var ended = known with { Status = status, Epoch = fence.Epoch, Changed = store.Time, Request = null };
        store.Put(grain, row with { Operations = row.Operations.SetItem(operation, ended) });
        return Is(WriteOutcome.Done);
    }

    public ValueTask<GrainSnapshot?> ReadAsync(GrainId grain, CancellationToken cancellationToken)
    {
        if (store.Find(grain) is not { } row)
            return Is<GrainSnapshot?>(null);
        var pending = row.Operations.Where(o => o.Value.Status == OperationStatus.Pending).OrderBy(o => o.Value.Number)
            .Select(o => new StoredOperation(o.Key, o.Value.Status, o.Value.Hash, o.Value.Epoch, null, null));
        return Is<GrainSnapshot?>(new GrainSnapshot(SummaryOf(grain, row), [.. row.Log], row.Journal, [.. pending]));
    }

    public ValueTask<GrainSummary?> DescribeAsync(GrainId grain, CancellationToken cancellationToken) =>
        Is(store.Find(grain) is { } row ? SummaryOf(grain, row) : null);

    public ValueTask<IReadOnlyList<GrainSummary>> ListAsync(string scope, int limit, CancellationToken cancellationToken) =>
        Is<IReadOnlyList<GrainSummary>>([.. store.Image.Grains.Where(g => g.Key.Scope == scope)
            .OrderByDescending(g => g.Value.Changed).Take(limit).Select(g => SummaryOf(g.Key, g.Value))]);

    public ValueTask<bool> DeleteAsync(GrainId grain, CancellationToken cancellationToken)
    {
        if (store.Find(grain) is not { } row)
            return Is(false);
        WriteIndex(grain, row.IndexKey, null);
        store.Change(image => image with
        {
            Grains = image.Grains.Remove(grain),
            Manifests = image.Manifests.Remove(grain),
            Tombstones = image.Tombstones.SetItem(grain, store.Time),
        });
        return Is(true);
    }

    public ValueTask<GrainId?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken) =>
        Is<GrainId?>(store.Image.Index.TryGetValue((scope, indexKey), out var found) ? found : null);

    static ValueTask<T> Is<T>(T value) => ValueTask.FromResult(value);

    static GrainOwner? OwnerOf(MemoryGrain row) =>
        row.Activation is { } activation ? new GrainOwner(row.Silo, row.Epoch, activation) : null;

    GrainSummary SummaryOf(GrainId id, MemoryGrain row)
    {
        var manifest = store.Image.Manifests.GetValueOrDefault(id);
        return new GrainSummary(id, row.Epoch, OwnerOf(row), row.Log.Count, row.State, manifest?.Bytes ?? 0, manifest?.Units ?? 0);
    }

    /// <summary>Finished operations that are both old and far back are given up, in the order in which they began.</summary>
    System.Collections.Immutable.ImmutableDictionary<string, MemoryOperation> WithoutOld(MemoryGrain row, long number)
    {
        var operations = row.Operations;
        foreach (var (id, o) in operations.Where(o => o.Value.Number <= number - Limits.OperationsKept).OrderBy(o => o.Value.Number))
        {
            if (o.Status == OperationStatus.Pending)
                continue;
            if (store.Time - o.Changed <= Limits.OperationAgeMax)
                break;
            operations = operations.Remove(id);
        }
        return operations;
    }

    long NextChange()
    {
        store.Change(image => image with { Changes = image.Changes + 1 });
        return store.Image.Changes;
    }

    /// <summary>A key leads to the grain that took it last.</summary>
    void WriteIndex(GrainId grain, string? before, string? now) => store.Change(image =>
    {
        var index = image.Index;
        if (before is not null && before != now && index.TryGetValue((grain.Scope, before), out var leads) && leads == grain)
            index = index.Remove((grain.Scope, before));
        return image with { Index = now is null ? index : index.SetItem((grain.Scope, now), grain) };
    });
}
