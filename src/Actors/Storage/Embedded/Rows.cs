namespace Hearth.Actors.Storage.Embedded;

/// <summary>A grain's row in the directory.</summary>
sealed record GrainRow(long Id, long Epoch, GrainOwner? Owner, int Length, int JournalLength, long? DeletedAt)
{
    public static GrainRow? Find(Sql sql, GrainId grain) =>
        sql.Rows("SELECT id, epoch, activation, silo, length, journal_length, deleted FROM grains WHERE scope = $1 AND name = $2",
            r => new GrainRow(r.GetInt64(0), r.GetInt64(1),
                r.IsDBNull(2) ? null : new GrainOwner(r.GetString(3), r.GetInt64(1), r.GetString(2)),
                r.GetInt32(4), r.GetInt32(5), r.IsDBNull(6) ? null : r.GetInt64(6)),
            grain.Scope, grain.Name) is [var row] ? row : null;

    /// <summary>The row, if the fence is its owner's: both numbers, always.</summary>
    public static GrainRow? FindOwned(Sql sql, GrainId grain, Fence fence) =>
        Find(sql, grain) is { DeletedAt: null, Owner: { } owner } row
            && owner.Epoch == fence.Epoch && owner.Activation == fence.Activation
            ? row
            : null;
}

/// <summary>An operation's row.</summary>
sealed record OperationRow(string Hash, OperationStatus Status, long Epoch, byte[]? Result)
{
    public static OperationRow? Find(Sql sql, long grain, string operation) =>
        sql.Rows("SELECT hash, status, epoch, result FROM operations WHERE grain = $1 AND operation = $2",
            r => new OperationRow(r.GetString(0), (OperationStatus)r.GetInt32(1), r.GetInt64(2),
                r.IsDBNull(3) ? null : r.GetFieldValue<byte[]>(3)),
            grain, operation) is [var row] ? row : null;

    public static void Insert(Sql sql, long grain, string operation, string hash, long epoch, long now)
    {
        sql.Execute("""
            INSERT INTO operations (grain, operation, number, hash, status, epoch, changed)
            VALUES ($1, $2, (SELECT coalesce(max(number), 0) + 1 FROM operations WHERE grain = $1), $3, 0, $4, $5)
            """, grain, operation, hash, epoch, now);
        sql.Execute("""
            DELETE FROM operations WHERE grain = $1 AND status <> 0 AND changed < $2
                AND number <= (SELECT max(number) FROM operations WHERE grain = $1) - $3
            """, grain, now - (long)Limits.OperationAgeMax.TotalMilliseconds, Limits.OperationsKept);
    }

    public static void Update(
        Sql sql, long grain, string operation, OperationStatus status, long epoch, byte[]? result, long now) =>
        sql.Execute(
            "UPDATE operations SET status = $3, epoch = $4, result = $5, changed = $6 WHERE grain = $1 AND operation = $2",
            grain, operation, (int)status, epoch, result, now);
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
            OperationRow.Update(sql, row.Id, operation, OperationStatus.Committed, epoch, Bounded(commit.Result), now);
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

    static byte[] Bounded(ReadOnlyMemory<byte> entry)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(entry.Length, Limits.EntryBytesMax);
        return entry.ToArray();
    }
}
