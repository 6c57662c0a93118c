using System.Globalization;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>The grain store of a cluster: a script per call, all keys of a grain in one slot, a scope's index in
/// another.</summary>
/// <param name="retention">How long a grain stays after its last operation; null for ever.</param>
sealed class RedisGrainStore(RedisLink link, RedisKeys keys, RedisGrainIndex index, TimeSpan? retention) : IGrainStore
{
    const string Microseconds = "000000";

    static readonly RedisValue _operationAge = Text((long)Limits.OperationAgeMax.TotalSeconds) + Microseconds;
    static readonly RedisValue _tombstoneAge = (long)Limits.TombstoneAge.TotalMilliseconds;

    readonly RedisValue _stays = RedisGrainIndex.Milliseconds(retention);

    public async ValueTask<AcquireResult> AcquireAsync(
        GrainId grain, string silo, string activation, string? expectedPrevious, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(activation);
        var reply = await RunAsync(RedisScript.Acquire, grain, cancellationToken, silo, activation, expectedPrevious ?? "",
            _stays);
        var outcome = Outcome<AcquireOutcome>(reply[0]);
        if (outcome == AcquireOutcome.Owned)
            return new AcquireResult(outcome, Owner: RedisReplies.Owner(reply[2], reply[1], reply[3]));
        if (outcome != AcquireOutcome.Acquired)
            return new AcquireResult(outcome);
        if ((string?)reply[3] is { Length: > 0 } created)
            await index.WriteAsync(new IndexEntry(grain, created, null, null), cancellationToken);
        return new AcquireResult(outcome, (long)reply[1], PreviousSilo: (string?)reply[2]);
    }

    public async ValueTask<WriteOutcome> ReleaseAsync(GrainId grain, Fence fence, CancellationToken cancellationToken) =>
        Outcome<WriteOutcome>(await CallAsync(RedisScript.Release, grain, cancellationToken, Epoch(fence), Activation(fence)));

    public async ValueTask<AcquireResult> HandOverAsync(
        GrainId grain, Fence fence, string silo, string activation, string? pending, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(activation);
        var reply = await RunAsync(RedisScript.HandOver, grain, cancellationToken,
            Epoch(fence), Activation(fence), silo, activation, pending ?? "");
        var outcome = Outcome<AcquireOutcome>(reply[0]);
        return outcome == AcquireOutcome.Acquired
            ? new AcquireResult(outcome, (long)reply[1], PreviousSilo: (string?)reply[2])
            : new AcquireResult(outcome);
    }

    public async ValueTask<GrainLocation?> LocateAsync(GrainId grain, CancellationToken cancellationToken)
    {
        var reply = await RunAsync(RedisScript.Locate, grain, cancellationToken);
        return reply[0].IsNull
            ? null
            : new GrainLocation(RedisReplies.Owner(reply[2], reply[0], reply[1]), (string?)reply[2]);
    }

    public async ValueTask<BeginResult> BeginAsync(GrainId grain, Fence fence, string operation, string hash,
        ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        CheckOperation(operation);
        var reply = await RunAsync(RedisScript.Begin, grain, cancellationToken, Epoch(fence), Activation(fence), operation, hash,
            Bounded(request), _operationAge, Limits.OperationsKept, _stays);
        var outcome = Outcome<BeginOutcome>(reply[0]);
        return new BeginResult(outcome, outcome == BeginOutcome.Committed ? (byte[]?)reply[1] : null);
    }

    public async ValueTask<StoredOperation?> FindOperationAsync(
        GrainId grain, string operation, CancellationToken cancellationToken)
    {
        CheckOperation(operation);
        var reply = await RunAsync(RedisScript.Find, grain, cancellationToken, operation);
        return reply[0].IsNull ? null : RedisReplies.Operation(operation, reply[0], reply[1], reply[2]);
    }

    public async ValueTask<CommitResult> CommitAsync(
        GrainId grain, Fence fence, GrainCommit commit, CancellationToken cancellationToken)
    {
        var reply = await RunAsync(RedisScript.Commit, grain, cancellationToken, Arguments(fence, commit));
        var outcome = Outcome<CommitOutcome>(reply[0]);
        if (outcome is CommitOutcome.Done or CommitOutcome.Duplicate)
        {
            await index.WriteAsync(
                new IndexEntry(grain, (string)reply[4], (string?)reply[2], (string?)reply[3]), cancellationToken);
        }
        return new CommitResult(outcome, reply.Length > 1 ? (int)reply[1] : 0);
    }

    public async ValueTask<WriteOutcome> EndAsync(
        GrainId grain, Fence fence, string operation, OperationStatus status, CancellationToken cancellationToken)
    {
        CheckOperation(operation);
        return Outcome<WriteOutcome>(await CallAsync(
            RedisScript.End, grain, cancellationToken, Epoch(fence), Activation(fence), operation, (int)status));
    }

    public async ValueTask<GrainSnapshot?> ReadAsync(GrainId grain, CancellationToken cancellationToken)
    {
        var answer = await CallAsync(RedisScript.Read, grain, cancellationToken);
        return answer.IsNull ? null : RedisReplies.Snapshot(grain, (RedisResult[])answer);
    }

    public async ValueTask<GrainSummary?> DescribeAsync(GrainId grain, CancellationToken cancellationToken)
    {
        var answer = await CallAsync(RedisScript.Describe, grain, cancellationToken);
        return answer.IsNull ? null : RedisReplies.Summary(grain, (RedisResult[])answer);
    }

    /// <summary>The index is written after the grains: an entry that leads to none is dropped when it is met.</summary>
    public async ValueTask<IReadOnlyList<GrainSummary>> ListAsync(string scope, int limit, CancellationToken cancellationToken)
    {
        var found = new List<GrainSummary>();
        for (var from = 0; found.Count < limit;)
        {
            var names = await index.NewestAsync(scope, from, limit - found.Count, cancellationToken);
            if (names.Count == 0)
                break;
            var summaries = await Task.WhenAll(
                names.Select(n => DescribeAsync(new GrainId(scope, n.Name), cancellationToken).AsTask()));
            found.AddRange(summaries.OfType<GrainSummary>());
            foreach (var (name, _) in names.Zip(summaries).Where(p => p.Second is null))
                await index.DropAsync(new GrainId(scope, name.Name), name.Changed, null, cancellationToken);
            from += summaries.Count(s => s is not null);
        }
        return found;
    }

    /// <summary>Deletes a grain's blobs and their manifest.</summary>
    internal Func<GrainId, CancellationToken, ValueTask> ClearBlobs { get; set; } = (_, _) => ValueTask.CompletedTask;

    public async ValueTask<bool> DeleteAsync(GrainId grain, CancellationToken cancellationToken)
    {
        var answer = await CallAsync(RedisScript.Delete, grain, cancellationToken, _tombstoneAge);
        // The tombstone keeps every writer out, so nothing comes after this; asked again, it does what it could not do before.
        await ClearBlobs(grain, cancellationToken);
        if (answer.IsNull)
            return false;
        var reply = (RedisResult[])answer;
        await index.DropAsync(grain, (string)reply[1], (string?)reply[0], cancellationToken);
        return true;
    }

    public async ValueTask<GrainId?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken)
    {
        if (await index.FindAsync(scope, indexKey, cancellationToken) is not { } name)
            return null;
        var grain = new GrainId(scope, name);
        if ((string?)await CallAsync(RedisScript.Key, grain, cancellationToken) == indexKey)
            return grain;
        await index.DropAsync(grain, null, indexKey, cancellationToken);
        return null;
    }

    /// <summary>Makes a manifest of blobs that lie elsewhere the grain's newest.</summary>
    /// <returns>False if the fence is not the owner's.</returns>
    internal async ValueTask<bool> PublishManifestAsync(GrainId grain, Fence fence, ReadOnlyMemory<byte> manifest, long blobBytes,
        int units, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(manifest.Length, Limits.ManifestBytesMax);
        return Outcome<WriteOutcome>(await CallAsync(RedisScript.Publish, grain, cancellationToken,
            Epoch(fence), Activation(fence), RedisReplies.Value(manifest), blobBytes, units)) == WriteOutcome.Done;
    }

    internal async ValueTask<byte[]?> ReadManifestAsync(GrainId grain, CancellationToken cancellationToken) =>
        (byte[]?)await CallAsync(RedisScript.Manifest, grain, cancellationToken);

    internal async ValueTask ClearManifestAsync(GrainId grain, CancellationToken cancellationToken) =>
        await CallAsync(RedisScript.Clear, grain, cancellationToken);

    RedisValue[] Arguments(Fence fence, GrainCommit commit)
    {
        if (commit.Operation is { } operation)
            CheckOperation(operation);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(commit.IndexKey?.Length ?? 0, Limits.IndexKeyLengthMax);
        var bytes = commit.Append.Sum(e => (long)e.Length)
            + commit.JournalAppend.Length + commit.State.Length + commit.Result.Length;
        if (bytes > Limits.RedisCommitBytesMax)
        {
            throw new StoreException(
                $"A commit of {bytes} bytes is over the limit of {Limits.RedisCommitBytesMax} bytes: write it in several steps.");
        }
        return
        [
            Epoch(fence), Activation(fence), commit.Operation ?? "", commit.Hash ?? "", Bounded(commit.Result),
            commit.ExpectedLength, commit.Keep, commit.JournalKeep, RedisReplies.Value(commit.JournalAppend),
            Bounded(commit.State), commit.IndexKey ?? "", _stays, .. commit.Append.Select(Bounded),
        ];
    }

    static RedisValue Bounded(ReadOnlyMemory<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, Limits.EntryBytesMax);
        return RedisReplies.Value(bytes);
    }

    static void CheckOperation(string operation)
    {
        ArgumentException.ThrowIfNullOrEmpty(operation);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(operation.Length, Limits.OperationLengthMax);
    }

    /// <summary>As text: a number of Lua is not exact beyond 2^53.</summary>
    static RedisValue Epoch(Fence fence) => Text(fence.Epoch);

    static RedisValue Activation(Fence fence) => fence.Activation ?? "";

    static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    static T Outcome<T>(RedisResult reply) where T : struct, Enum => Enum.Parse<T>((string)reply);

    async Task<RedisResult[]> RunAsync(
        RedisScript script, GrainId grain, CancellationToken cancellationToken, params RedisValue[] arguments) =>
        (RedisResult[])await CallAsync(script, grain, cancellationToken, arguments);

    Task<RedisResult> CallAsync(
        RedisScript script, GrainId grain, CancellationToken cancellationToken, params RedisValue[] arguments) =>
        link.RunAsync(script, keys.OfGrain(grain), arguments, cancellationToken);
}
