using Hearth.Actors.Storage;

namespace Hearth.Actors.Metrics;

/// <summary>Measures every call to a store of grains, and counts the writes that it refuses to who is no owner any
/// more.</summary>
sealed class MeteredGrainStore(IGrainStore inner, StoreClock clock) : IGrainStore
{
    public async ValueTask<AcquireResult> AcquireAsync(
        GrainId grain, string silo, string activation, string? expectedPrevious, CancellationToken cancellationToken) =>
        await clock.CallAsync("acquire", () =>
            inner.AcquireAsync(grain, silo, activation, expectedPrevious, cancellationToken));

    public async ValueTask<WriteOutcome> ReleaseAsync(GrainId grain, Fence fence, CancellationToken cancellationToken)
    {
        var outcome = await clock.CallAsync("other", () => inner.ReleaseAsync(grain, fence, cancellationToken));
        return Fenced(outcome, outcome == WriteOutcome.Fenced, "release");
    }

    public async ValueTask<AcquireResult> HandOverAsync(
        GrainId grain, Fence fence, string silo, string activation, string? pending, CancellationToken cancellationToken)
    {
        var result = await clock.CallAsync("other", () =>
            inner.HandOverAsync(grain, fence, silo, activation, pending, cancellationToken));
        return Fenced(result, result.Outcome == AcquireOutcome.Fenced, "hand_over");
    }

    public ValueTask<GrainLocation?> LocateAsync(GrainId grain, CancellationToken cancellationToken) =>
        clock.CallAsync("locate", () => inner.LocateAsync(grain, cancellationToken));

    public async ValueTask<BeginResult> BeginAsync(GrainId grain, Fence fence, string operation, string hash,
        ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        var result = await clock.CallAsync("begin", () =>
            inner.BeginAsync(grain, fence, operation, hash, request, cancellationToken));
        return Fenced(result, result.Outcome == BeginOutcome.Fenced, "begin");
    }

    public ValueTask<StoredOperation?> FindOperationAsync(GrainId grain, string operation, CancellationToken cancellationToken) =>
        clock.CallAsync("other", () => inner.FindOperationAsync(grain, operation, cancellationToken));

    public async ValueTask<CommitResult> CommitAsync(
        GrainId grain, Fence fence, GrainCommit commit, CancellationToken cancellationToken)
    {
        var result = await clock.CallAsync("commit", () => inner.CommitAsync(grain, fence, commit, cancellationToken));
        return Fenced(result, result.Outcome == CommitOutcome.Fenced, "commit");
    }

    public async ValueTask<WriteOutcome> EndAsync(
        GrainId grain, Fence fence, string operation, OperationStatus status, CancellationToken cancellationToken)
    {
        var outcome = await clock.CallAsync("other", () =>
            inner.EndAsync(grain, fence, operation, status, cancellationToken));
        return Fenced(outcome, outcome == WriteOutcome.Fenced, "end");
    }

    public ValueTask<GrainSnapshot?> ReadAsync(GrainId grain, CancellationToken cancellationToken) =>
        clock.CallAsync("read", () => inner.ReadAsync(grain, cancellationToken));

    public ValueTask<GrainSummary?> DescribeAsync(GrainId grain, CancellationToken cancellationToken) =>
        clock.CallAsync("other", () => inner.DescribeAsync(grain, cancellationToken));

    public ValueTask<IReadOnlyList<GrainSummary>> ListAsync(string scope, int limit, CancellationToken cancellationToken) =>
        clock.CallAsync("other", () => inner.ListAsync(scope, limit, cancellationToken));

    public ValueTask<bool> DeleteAsync(GrainId grain, CancellationToken cancellationToken) =>
        clock.CallAsync("other", () => inner.DeleteAsync(grain, cancellationToken));

    public ValueTask<GrainId?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken) =>
        clock.CallAsync("other", () => inner.FindAsync(scope, indexKey, cancellationToken));

    static T Fenced<T>(T result, bool fenced, string operation)
    {
        if (fenced)
            StoreMetrics.Fenced(operation);
        return result;
    }
}

/// <summary>Measures calls to a store.</summary>
sealed class StoreClock
{
    readonly TimeProvider _time;
    readonly RedisRole? _redis;

    /// <param name="redis">The role of the Redis that answers them; null if none does.</param>
    public StoreClock(TimeProvider time, RedisRole? redis)
    {
        (_time, _redis) = (time, redis);
        StoreMetrics.Begin();
    }

    /// <param name="operation">As the metrics name it; null for what is not a call to the store of conversations.</param>
    public async ValueTask<T> CallAsync<T>(string? operation, Func<ValueTask<T>> call)
    {
        var began = _time.GetTimestamp();
        try
        {
            var result = await call();
            var elapsed = _time.GetElapsedTime(began);
            _redis?.Answered(elapsed);
            if (operation is not null)
                StoreMetrics.Called(operation, elapsed);
            return result;
        }
        catch (StoreException e)
        {
            _redis?.Failed();
            if (operation is not null)
                StoreMetrics.Failed(e);
            throw;
        }
    }

    public ValueTask CallAsync(Func<ValueTask> call) => new(CallAsync<bool>(null, async () =>
    {
        await call();
        return true;
    }).AsTask());
}
