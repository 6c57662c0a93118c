using Hearth.Actors;
using Hearth.Actors.Storage;

namespace Hearth.Grains.Tests;

/// <summary>A store whose commits fail as told: before they write, or after.</summary>
sealed class FaultyStore(IGrainStore inner) : IGrainStore
{
    /// <summary>Commits that fail before anything is written.</summary>
    public int Unavailable { get; set; }

    /// <summary>Commits that write, and whose answer is lost.</summary>
    public int AnswersLost { get; set; }

    /// <summary>Commits that do not write, and whose answer is lost too.</summary>
    public int RequestsLost { get; set; }

    /// <summary>Ends of turns that fail before anything is written.</summary>
    public int EndsRefused { get; set; }

    /// <summary>Told of each end that was written.</summary>
    public Action<OperationStatus> Ended { get; set; } = _ => { };

    /// <summary>Awaited before each commit.</summary>
    public Func<GrainId, Task> BeforeCommit { get; set; } = _ => Task.CompletedTask;

    /// <summary>Awaited before each turn is recorded as pending.</summary>
    public Func<Task> BeforeBegin { get; set; } = () => Task.CompletedTask;

    /// <summary>Awaited before each hand-over.</summary>
    public Func<Task> BeforeHandOver { get; set; } = () => Task.CompletedTask;

    /// <summary>What happens to each hand-over: null lets it pass, else it fails with this, having written or not.</summary>
    public Func<(StoreException Failure, bool Written)?> HandOverFault { get; set; } = () => null;

    public List<CommitOutcome> Commits { get; } = [];

    public async ValueTask<CommitResult> CommitAsync(
        GrainId grain, Fence fence, GrainCommit commit, CancellationToken cancellationToken)
    {
        await BeforeCommit(grain);
        if (Unavailable-- > 0)
            throw new StoreException("disk full");
        if (RequestsLost-- > 0)
            throw new StoreException("no answer", outcomeUnknown: true);
        var result = await inner.CommitAsync(grain, fence, commit, cancellationToken);
        lock (Commits)
            Commits.Add(result.Outcome);
        return AnswersLost-- > 0 ? throw new StoreException("no answer", outcomeUnknown: true) : result;
    }

    public ValueTask<AcquireResult> AcquireAsync(
        GrainId grain, string silo, string activation, string? expectedPrevious, CancellationToken cancellationToken) =>
        inner.AcquireAsync(grain, silo, activation, expectedPrevious, cancellationToken);

    public ValueTask<WriteOutcome> ReleaseAsync(GrainId grain, Fence fence, CancellationToken cancellationToken) =>
        inner.ReleaseAsync(grain, fence, cancellationToken);

    public async ValueTask<AcquireResult> HandOverAsync(GrainId grain, Fence fence, string silo, string activation, string? pending,
        CancellationToken cancellationToken)
    {
        await BeforeHandOver();
        var fault = HandOverFault();
        if (fault is not { Written: false })
        {
            var result = await inner.HandOverAsync(grain, fence, silo, activation, pending, cancellationToken);
            if (fault is null)
                return result;
        }
        throw fault.Value.Failure;
    }

    public ValueTask<GrainLocation?> LocateAsync(GrainId grain, CancellationToken cancellationToken) =>
        inner.LocateAsync(grain, cancellationToken);

    public ValueTask<StoredOperation?> FindOperationAsync(GrainId grain, string operation, CancellationToken cancellationToken) =>
        inner.FindOperationAsync(grain, operation, cancellationToken);

    public async ValueTask<BeginResult> BeginAsync(
        GrainId grain, Fence fence, string operation, string hash, ReadOnlyMemory<byte> request,
        CancellationToken cancellationToken)
    {
        await BeforeBegin();
        return await inner.BeginAsync(grain, fence, operation, hash, request, cancellationToken);
    }

    public async ValueTask<WriteOutcome> EndAsync(
        GrainId grain, Fence fence, string operation, OperationStatus status, CancellationToken cancellationToken)
    {
        if (EndsRefused-- > 0)
            throw new StoreException("disk full");
        var outcome = await inner.EndAsync(grain, fence, operation, status, cancellationToken);
        Ended(status);
        return outcome;
    }

    public ValueTask<GrainSnapshot?> ReadAsync(GrainId grain, CancellationToken cancellationToken) =>
        inner.ReadAsync(grain, cancellationToken);

    public ValueTask<GrainSummary?> DescribeAsync(GrainId grain, CancellationToken cancellationToken) =>
        inner.DescribeAsync(grain, cancellationToken);

    public ValueTask<IReadOnlyList<GrainSummary>> ListAsync(string scope, int limit, CancellationToken cancellationToken) =>
        inner.ListAsync(scope, limit, cancellationToken);

    public ValueTask<bool> DeleteAsync(GrainId grain, CancellationToken cancellationToken) =>
        inner.DeleteAsync(grain, cancellationToken);

    public ValueTask<GrainId?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken) =>
        inner.FindAsync(scope, indexKey, cancellationToken);
}
