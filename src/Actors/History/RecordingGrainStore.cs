using System.Text.Json;
using Hearth.Actors.Storage;

namespace Hearth.Actors.History;

/// <summary>Records every call that changes or judges ownership, operations and logs; plain look-ups are passed on.</summary>
public sealed class RecordingGrainStore(IGrainStore inner, HistoryWriter history) : IGrainStore
{
    public ValueTask<AcquireResult> AcquireAsync(
        GrainId grain, string silo, string activation, string? expectedPrevious, CancellationToken cancellationToken) =>
        history.CallAsync("acquire", json =>
        {
            json.WriteString("grain", grain.ToString());
            json.WriteString("silo", silo);
            json.WriteString("activation", activation);
            json.WriteString("previous", expectedPrevious);
        }, () => inner.AcquireAsync(grain, silo, activation, expectedPrevious, cancellationToken), WriteAcquired);

    public ValueTask<WriteOutcome> ReleaseAsync(GrainId grain, Fence fence, CancellationToken cancellationToken) =>
        history.CallAsync("release", json => WriteFence(json, grain, fence),
            () => inner.ReleaseAsync(grain, fence, cancellationToken), (json, outcome) => WriteOutcome(json, outcome));

    public ValueTask<AcquireResult> HandOverAsync(GrainId grain, Fence fence, string silo, string activation, string? pending,
        CancellationToken cancellationToken) => history.CallAsync("hand_over", json =>
    {
        WriteFence(json, grain, fence);
        json.WriteString("to_silo", silo);
        json.WriteString("to_activation", activation);
        json.WriteString("turn", pending);
    }, () => inner.HandOverAsync(grain, fence, silo, activation, pending, cancellationToken), WriteAcquired);

    public ValueTask<GrainLocation?> LocateAsync(GrainId grain, CancellationToken cancellationToken) =>
        inner.LocateAsync(grain, cancellationToken);

    public ValueTask<BeginResult> BeginAsync(GrainId grain, Fence fence, string operation, string hash,
        ReadOnlyMemory<byte> request, CancellationToken cancellationToken) => history.CallAsync("begin", json =>
    {
        WriteFence(json, grain, fence);
        json.WriteString("turn", operation);
        json.WriteString("body_hash", hash);
    }, () => inner.BeginAsync(grain, fence, operation, hash, request, cancellationToken), (json, result) =>
    {
        WriteOutcome(json, result.Outcome);
        if (result.Result is { } bytes)
            json.WriteString("result", HistoryWriter.HashOf(bytes));
    });

    public ValueTask<StoredOperation?> FindOperationAsync(GrainId grain, string operation, CancellationToken cancellationToken) =>
        inner.FindOperationAsync(grain, operation, cancellationToken);

    public ValueTask<CommitResult> CommitAsync(
        GrainId grain, Fence fence, GrainCommit commit, CancellationToken cancellationToken) =>
        history.CallAsync("commit", json =>
    {
        WriteFence(json, grain, fence);
        json.WriteString("turn", commit.Operation);
        json.WriteString("body_hash", commit.Hash);
        json.WriteNumber("expected", commit.ExpectedLength);
        json.WriteNumber("keep", commit.Keep);
        json.WriteStartArray("entries");
        foreach (var entry in commit.Append)
            json.WriteStringValue(HistoryWriter.HashOf(entry.Span));
        json.WriteEndArray();
        json.WriteString("result", HistoryWriter.HashOf(commit.Result.Span));
    }, () => inner.CommitAsync(grain, fence, commit, cancellationToken), (json, result) =>
    {
        WriteOutcome(json, result.Outcome);
        json.WriteNumber("length", result.Length);
    });

    public ValueTask<WriteOutcome> EndAsync(
        GrainId grain, Fence fence, string operation, OperationStatus status, CancellationToken cancellationToken) =>
        history.CallAsync("end", json =>
        {
            WriteFence(json, grain, fence);
            json.WriteString("turn", operation);
            json.WriteString("status", JsonNamingPolicy.SnakeCaseLower.ConvertName(status.ToString()));
        }, () => inner.EndAsync(grain, fence, operation, status, cancellationToken), (json, outcome) =>
            WriteOutcome(json, outcome));

    public ValueTask<GrainSnapshot?> ReadAsync(GrainId grain, CancellationToken cancellationToken) =>
        history.CallAsync("read", json => json.WriteString("grain", grain.ToString()),
            () => inner.ReadAsync(grain, cancellationToken), (json, read) =>
            {
                json.WriteString("outcome", read is null ? "none" : "found");
                if (read is null)
                    return;
                json.WriteNumber("epoch", read.Summary.Epoch);
                json.WriteNumber("length", read.Log.Count);
                json.WriteString("log", HistoryWriter.HashOf([.. read.Log.SelectMany(entry => entry)]));
            });

    public ValueTask<GrainSummary?> DescribeAsync(GrainId grain, CancellationToken cancellationToken) =>
        inner.DescribeAsync(grain, cancellationToken);

    public ValueTask<IReadOnlyList<GrainSummary>> ListAsync(string scope, int limit, CancellationToken cancellationToken) =>
        inner.ListAsync(scope, limit, cancellationToken);

    public ValueTask<bool> DeleteAsync(GrainId grain, CancellationToken cancellationToken) =>
        history.CallAsync("delete", json => json.WriteString("grain", grain.ToString()),
            () => inner.DeleteAsync(grain, cancellationToken), (json, done) =>
                json.WriteString("outcome", done ? "done" : "none"));

    public ValueTask<GrainId?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken) =>
        inner.FindAsync(scope, indexKey, cancellationToken);

    internal static void WriteFence(Utf8JsonWriter json, GrainId grain, Fence fence)
    {
        json.WriteString("grain", grain.ToString());
        json.WriteNumber("epoch", fence.Epoch);
        json.WriteString("activation", fence.Activation);
    }

    internal static void WriteOutcome<T>(Utf8JsonWriter json, T outcome) where T : struct, Enum =>
        json.WriteString("outcome", JsonNamingPolicy.SnakeCaseLower.ConvertName(outcome.ToString()));

    static void WriteAcquired(Utf8JsonWriter json, AcquireResult result)
    {
        WriteOutcome(json, result.Outcome);
        if (result.Outcome == AcquireOutcome.Acquired)
            json.WriteNumber("granted", result.Epoch);
        if (result.Owner is not { } owner)
            return;
        json.WriteString("owner_silo", owner.Silo);
        json.WriteNumber("owner_epoch", owner.Epoch);
        json.WriteString("owner_activation", owner.Activation);
    }
}
