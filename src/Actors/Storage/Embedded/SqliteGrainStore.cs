using Microsoft.Data.Sqlite;

namespace Hearth.Actors.Storage.Embedded;

/// <summary>The grain store of one process, in SQLite.</summary>
sealed class SqliteGrainStore(SqliteWriter writer, SqliteReaders readers, TimeProvider time) : IGrainStore
{
    const string SummaryColumns = """
        g.scope, g.name, g.epoch, g.activation, g.silo, g.length, g.state, coalesce(m.bytes, 0), coalesce(m.units, 0), g.id
        """;

    const string OneGrain = "g.scope = $1 AND g.name = $2 AND g.deleted IS NULL";

    public ValueTask<AcquireResult> AcquireAsync(
        GrainId grain, string silo, string activation, string? expectedPrevious, CancellationToken cancellationToken) =>
        writer.WriteAsync(sql =>
        {
            Check(grain);
            var row = GrainRow.Find(sql, grain);
            if (IsDeleted(row))
                return new AcquireResult(AcquireOutcome.Deleted);
            if (row is { Owner: { } owner } && owner.Activation != expectedPrevious)
                return new AcquireResult(AcquireOutcome.Owned, Owner: owner);
            if (row is null)
            {
                sql.Execute("INSERT INTO grains (scope, name, epoch, activation, silo, changed) VALUES ($1, $2, 1, $3, $4, $5)",
                    grain.Scope, grain.Name, activation, silo, Now);
            }
            else
            {
                sql.Execute("UPDATE grains SET epoch = epoch + 1, activation = $2, silo = $3, deleted = NULL WHERE id = $1",
                    row.Id, activation, silo);
            }
            return new AcquireResult(AcquireOutcome.Acquired, (row?.Epoch ?? 0) + 1, PreviousSilo: row?.Silo);
        });

    public ValueTask<WriteOutcome> ReleaseAsync(GrainId grain, Fence fence, CancellationToken cancellationToken) =>
        writer.WriteAsync(sql =>
        {
            if (GrainRow.FindOwned(sql, grain, fence) is not { } row)
                return WriteOutcome.Fenced;
            sql.Execute("UPDATE grains SET activation = NULL WHERE id = $1", row.Id);
            return WriteOutcome.Done;
        });

    public ValueTask<AcquireResult> HandOverAsync(GrainId grain, Fence fence, string silo, string activation, string? pending,
        CancellationToken cancellationToken) =>
        writer.WriteAsync(sql =>
        {
            if (GrainRow.FindOwned(sql, grain, fence) is not { } row)
                return new AcquireResult(IsDeleted(GrainRow.Find(sql, grain)) ? AcquireOutcome.Deleted : AcquireOutcome.Fenced);
            sql.Execute("UPDATE grains SET epoch = epoch + 1, activation = $2, silo = $3 WHERE id = $1",
                row.Id, activation, silo);
            if (pending is not null)
                OperationRows.Pass(sql, row.Id, pending, row.Epoch + 1);
            return new AcquireResult(AcquireOutcome.Acquired, row.Epoch + 1, PreviousSilo: row.Silo);
        });

    public ValueTask<GrainLocation?> LocateAsync(GrainId grain, CancellationToken cancellationToken) =>
        ValueTask.FromResult(readers.Read(sql =>
            GrainRow.Find(sql, grain) is { DeletedAt: null } row ? new GrainLocation(row.Owner, row.Silo) : null));

    public ValueTask<BeginResult> BeginAsync(GrainId grain, Fence fence, string operation, string hash,
        ReadOnlyMemory<byte> request, CancellationToken cancellationToken) =>
        writer.WriteAsync(sql =>
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(operation.Length, Limits.OperationLengthMax);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(request.Length, Limits.EntryBytesMax);
            if (GrainRow.FindOwned(sql, grain, fence) is not { } row)
                return new BeginResult(BeginOutcome.Fenced);
            var known = OperationRows.Find(sql, row.Id, operation);
            if (known is null)
            {
                OperationRows.Insert(sql, row.Id, operation, hash, request, fence.Epoch, Now);
                return new BeginResult(BeginOutcome.Begun);
            }
            if (known.Hash != hash)
                return new BeginResult(BeginOutcome.Conflict);
            if (known.Status == OperationStatus.Committed)
                return new BeginResult(BeginOutcome.Committed, known.Result);
            if (known.Status != OperationStatus.Pending)
            {
                OperationRows.Restart(sql, row.Id, operation, request, fence.Epoch, Now);
                return new BeginResult(BeginOutcome.Begun);
            }
            OperationRows.Pass(sql, row.Id, operation, fence.Epoch);
            return new BeginResult(known.Epoch == fence.Epoch ? BeginOutcome.Pending : BeginOutcome.TakenOver);
        });

    public ValueTask<StoredOperation?> FindOperationAsync(GrainId grain, string operation, CancellationToken cancellationToken) =>
        ValueTask.FromResult(readers.Read(sql =>
            GrainRow.Find(sql, grain) is { } row ? OperationRows.Find(sql, row.Id, operation) : null));

    public ValueTask<CommitResult> CommitAsync(
        GrainId grain, Fence fence, GrainCommit commit, CancellationToken cancellationToken) =>
        writer.WriteAsync(sql =>
        {
            if (GrainRow.FindOwned(sql, grain, fence) is not { } row)
                return new CommitResult(CommitOutcome.Fenced);
            if (commit.Operation is { } operation)
            {
                var known = OperationRows.Find(sql, row.Id, operation);
                if (known is null or { Status: OperationStatus.Failed or OperationStatus.Cancelled })
                    return new CommitResult(CommitOutcome.NotBegun);
                if (known.Hash != commit.Hash)
                    return new CommitResult(CommitOutcome.Conflict);
                if (known.Status == OperationStatus.Committed)
                    return new CommitResult(CommitOutcome.Duplicate, row.Length);
            }
            if (row.Length != commit.ExpectedLength || commit.Keep > row.Length || commit.JournalKeep > row.JournalLength)
                return new CommitResult(CommitOutcome.LengthMismatch, row.Length);
            return new CommitResult(CommitOutcome.Done, GrainCommitWriter.Write(sql, row, commit, fence.Epoch, Now));
        });

    public ValueTask<WriteOutcome> EndAsync(
        GrainId grain, Fence fence, string operation, OperationStatus status, CancellationToken cancellationToken) =>
        writer.WriteAsync(sql =>
        {
            if (GrainRow.FindOwned(sql, grain, fence) is not { } row)
                return WriteOutcome.Fenced;
            if (OperationRows.Find(sql, row.Id, operation) is not { Status: OperationStatus.Pending })
                return WriteOutcome.NotFound;
            OperationRows.End(sql, row.Id, operation, status, fence.Epoch, null, Now);
            return WriteOutcome.Done;
        });

    public ValueTask<GrainSnapshot?> ReadAsync(GrainId grain, CancellationToken cancellationToken) =>
        ValueTask.FromResult(readers.Read(sql =>
        {
            if (Summaries(sql, OneGrain, grain.Scope, grain.Name) is not [var (id, summary)])
                return null;
            var log = sql.Rows("SELECT entry FROM log WHERE grain = $1 ORDER BY position", r => r.GetFieldValue<byte[]>(0), id);
            var parts = sql.Rows("SELECT data FROM journal WHERE grain = $1 ORDER BY start", r => r.GetFieldValue<byte[]>(0), id);
            return new GrainSnapshot(summary, log, [.. parts.SelectMany(p => p)], OperationRows.Pending(sql, id));
        }));

    public ValueTask<GrainSummary?> DescribeAsync(GrainId grain, CancellationToken cancellationToken) =>
        ValueTask.FromResult(readers.Read(sql =>
            Summaries(sql, OneGrain, grain.Scope, grain.Name) is [var (_, summary)] ? summary : null));

    public ValueTask<IReadOnlyList<GrainSummary>> ListAsync(string scope, int limit, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<GrainSummary>>(readers.Read(sql =>
            Summaries(sql, "g.scope = $1 AND g.deleted IS NULL ORDER BY g.changed DESC, g.id DESC LIMIT $2", scope, limit)
                .ConvertAll(s => s.Summary)));

    public ValueTask<bool> DeleteAsync(GrainId grain, CancellationToken cancellationToken) =>
        writer.WriteAsync(sql =>
        {
            if (GrainRow.Find(sql, grain) is not { DeletedAt: null } row)
                return false;
            foreach (var table in (ReadOnlySpan<string>)["log", "journal", "operations", "manifests"])
                sql.Execute($"DELETE FROM {table} WHERE grain = $1", row.Id);
            sql.Execute("""
                UPDATE grains SET activation = NULL, silo = NULL, length = 0, journal_length = 0, state = x'', index_key = NULL,
                    changed = $2, deleted = $2 WHERE id = $1
                """, row.Id, Now);
            return true;
        });

    /// <summary>Deletes grains in which nothing happened since then, some at a time, and leaves nothing of them in the database.
    /// An activation that has one still is fenced out, as by a deletion.</summary>
    /// <returns>Those that are gone; none when no more are that old.</returns>
    public ValueTask<List<GrainId>> ExpireAsync(DateTimeOffset since) =>
        writer.WriteAsync(sql =>
        {
            var old = sql.Rows("""
                SELECT id, scope, name FROM grains g WHERE deleted IS NULL AND changed < $1
                    AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.grain = g.id AND o.changed >= $1) LIMIT $2
                """, r => (Id: r.GetInt64(0), Grain: new GrainId(r.GetString(1), r.GetString(2))),
                since.ToUnixTimeMilliseconds(), Limits.GrainsExpiredAtOnce);
            foreach (var (id, _) in old)
            {
                foreach (var table in (ReadOnlySpan<string>)["log", "journal", "operations", "manifests"])
                    sql.Execute($"DELETE FROM {table} WHERE grain = $1", id);
                sql.Execute("DELETE FROM grains WHERE id = $1", id);
            }
            return old.ConvertAll(o => o.Grain);
        });

    public ValueTask<GrainId?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken) =>
        ValueTask.FromResult(readers.Read<GrainId?>(sql =>
            sql.Scalar<string>("SELECT name FROM grains WHERE scope = $1 AND index_key = $2", scope, indexKey) is { } name
                ? new GrainId(scope, name)
                : null));

    long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    bool IsDeleted(GrainRow? row) => row?.DeletedAt > Now - (long)Limits.TombstoneAge.TotalMilliseconds;

    static void Check(GrainId grain)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(grain.Scope.Length, Limits.ScopeLengthMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(grain.Name.Length, Limits.NameLengthMax);
    }

    static List<(long Id, GrainSummary Summary)> Summaries(Sql sql, string where, params ReadOnlySpan<object?> values) =>
        sql.Rows($"SELECT {SummaryColumns} FROM grains g LEFT JOIN manifests m ON m.grain = g.id WHERE {where}",
            ReadSummary, values);

    static (long, GrainSummary) ReadSummary(SqliteDataReader r)
    {
        var epoch = r.GetInt64(2);
        var owner = r.IsDBNull(3) ? null : new GrainOwner(r.GetString(4), epoch, r.GetString(3));
        return (r.GetInt64(9), new GrainSummary(new GrainId(r.GetString(0), r.GetString(1)), epoch, owner,
            r.GetInt32(5), r.GetFieldValue<byte[]>(6), r.GetInt64(7), r.GetInt32(8)));
    }
}
