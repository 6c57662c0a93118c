using Microsoft.Data.Sqlite;

namespace Hearth.Actors.Storage.Embedded;

/// <summary>A grain's row in the directory.</summary>
/// <param name="Silo">The owner's, or the last one's.</param>
sealed record GrainRow(
    long Id, long Epoch, GrainOwner? Owner, string? Silo, int Length, int JournalLength, long? DeletedAt)
{
    public static GrainRow? Find(Sql sql, GrainId grain) =>
        sql.Rows("SELECT id, epoch, activation, silo, length, journal_length, deleted FROM grains WHERE scope = $1 AND name = $2",
            r => new GrainRow(r.GetInt64(0), r.GetInt64(1),
                r.IsDBNull(2) ? null : new GrainOwner(r.GetString(3), r.GetInt64(1), r.GetString(2)),
                r.IsDBNull(3) ? null : r.GetString(3),
                r.GetInt32(4), r.GetInt32(5), r.IsDBNull(6) ? null : r.GetInt64(6)),
            grain.Scope, grain.Name) is [var row] ? row : null;

    /// <summary>The row, if the fence is its owner's: both numbers, always.</summary>
    public static GrainRow? FindOwned(Sql sql, GrainId grain, Fence fence) =>
        Find(sql, grain) is { DeletedAt: null, Owner: { } owner } row
            && owner.Epoch == fence.Epoch && owner.Activation == fence.Activation
            ? row
            : null;
}

/// <summary>Operations of a grain.</summary>
static class OperationRows
{
    const string Columns = "operation, status, hash, epoch, request, result";

    public static StoredOperation? Find(Sql sql, long grain, string operation) =>
        sql.Rows($"SELECT {Columns} FROM operations WHERE grain = $1 AND operation = $2", Read, grain, operation) is [var row]
            ? row
            : null;

    /// <summary>In the order in which they began, without their requests.</summary>
    public static List<StoredOperation> Pending(Sql sql, long grain) =>
        sql.Rows($"SELECT {Columns} FROM operations WHERE grain = $1 AND status = 0 ORDER BY number", Read, grain)
            .ConvertAll(o => o with { Request = null });

    public static void Insert(
        Sql sql, long grain, string operation, string hash, ReadOnlyMemory<byte> request, long epoch, long now)
    {
        sql.Execute("""
            INSERT INTO operations (grain, operation, number, hash, status, epoch, changed, request)
            VALUES ($1, $2, (SELECT coalesce(max(number), 0) + 1 FROM operations WHERE grain = $1), $3, 0, $4, $5, $6)
            """, grain, operation, hash, epoch, now, request.ToArray());
        sql.Execute("""
            DELETE FROM operations WHERE grain = $1 AND status <> 0 AND changed < $2
                AND number <= (SELECT max(number) FROM operations WHERE grain = $1) - $3
            """, grain, now - (long)Limits.OperationAgeMax.TotalMilliseconds, Limits.OperationsKept);
    }

    /// <summary>Begins a failed or cancelled one anew.</summary>
    public static void Restart(Sql sql, long grain, string operation, ReadOnlyMemory<byte> request, long epoch, long now) =>
        sql.Execute("""
            UPDATE operations SET status = 0, epoch = $3, request = $4, changed = $5 WHERE grain = $1 AND operation = $2
            """, grain, operation, epoch, request.ToArray(), now);

    /// <summary>Gives a pending one to another activation.</summary>
    public static void Pass(Sql sql, long grain, string operation, long epoch) =>
        sql.Execute("UPDATE operations SET epoch = $3 WHERE grain = $1 AND operation = $2 AND status = 0",
            grain, operation, epoch);

    public static void End(
        Sql sql, long grain, string operation, OperationStatus status, long epoch, byte[]? result, long now) =>
        sql.Execute("""
            UPDATE operations SET status = $3, epoch = $4, request = NULL, result = $5, changed = $6
            WHERE grain = $1 AND operation = $2
            """, grain, operation, (int)status, epoch, result, now);

    static StoredOperation Read(SqliteDataReader r) => new(r.GetString(0), (OperationStatus)r.GetInt32(1), r.GetString(2),
        r.GetInt64(3), Bytes(r, 4), Bytes(r, 5));

    static byte[]? Bytes(SqliteDataReader r, int column) => r.IsDBNull(column) ? null : r.GetFieldValue<byte[]>(column);
}

/// <summary>Writes a commit that passed every check.</summary>
static class GrainCommitWriter
{
    /// <returns>The log's new length.</returns>
    public static int Write(Sql sql, GrainRow row, GrainCommit commit, long epoch, long now)
    {
        if (commit.Keep < row.Length)
            sql.Execute("DELETE FROM log WHERE grain = $1 AND position >= $2", row.Id, commit.Keep);
        for (var i = 0; i < commit.Append.Count; i++)
        {
            sql.Execute("INSERT INTO log (grain, position, entry) VALUES ($1, $2, $3)",
                row.Id, commit.Keep + i, Bounded(commit.Append[i]));
        }

        WriteJournal(sql, row, commit);
        if (commit.Operation is { } operation)
            OperationRows.End(sql, row.Id, operation, OperationStatus.Committed, epoch, Bounded(commit.Result), now);
        WriteIndexKey(sql, row.Id, commit.IndexKey);
        var length = commit.Keep + commit.Append.Count;
        sql.Execute("UPDATE grains SET length = $2, journal_length = $3, state = $4, changed = $5 WHERE id = $1",
            row.Id, length, commit.JournalKeep + commit.JournalAppend.Length, Bounded(commit.State), now);
        return length;
    }

    static void WriteJournal(Sql sql, GrainRow row, GrainCommit commit)
    {
        if (commit.JournalKeep < row.JournalLength)
        {
            sql.Execute("DELETE FROM journal WHERE grain = $1 AND start >= $2", row.Id, commit.JournalKeep);
            sql.Execute("""
                UPDATE journal SET data = substr(data, 1, $2 - start)
                WHERE grain = $1 AND start = (SELECT max(start) FROM journal WHERE grain = $1) AND start + length(data) > $2
                """, row.Id, commit.JournalKeep);
        }
        if (!commit.JournalAppend.IsEmpty)
        {
            sql.Execute("INSERT INTO journal (grain, start, data) VALUES ($1, $2, $3)",
                row.Id, commit.JournalKeep, commit.JournalAppend.ToArray());
        }
    }

    /// <summary>A key leads to the grain that took it last.</summary>
    static void WriteIndexKey(Sql sql, long id, string? key)
    {
        if (key is not null)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(key.Length, Limits.IndexKeyLengthMax);
            sql.Execute("""
                UPDATE grains SET index_key = NULL
                WHERE scope = (SELECT scope FROM grains WHERE id = $1) AND index_key = $2 AND id <> $1
                """, id, key);
        }
        sql.Execute("UPDATE grains SET index_key = $2 WHERE id = $1", id, key);
    }

    public static byte[] Bounded(ReadOnlyMemory<byte> entry)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(entry.Length, Limits.EntryBytesMax);
        return entry.ToArray();
    }
}
