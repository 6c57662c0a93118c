using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace Hearth.Actors.Storage.Embedded;

/// <summary>The one writer of the database: a thread that puts all writes that wait on disk with one commit.</summary>
sealed class SqliteWriter : IDisposable
{
    const int Full = 13;

    readonly BlockingCollection<Write> _queue = new(Limits.StoreWritesQueued);
    readonly SqliteConnection _connection;
    readonly Sql _sql;
    readonly Thread _thread;

    public SqliteWriter(SqliteConnection connection)
    {
        (_connection, _sql) = (connection, new Sql(connection));
        _thread = new Thread(Run) { IsBackground = true, Name = "hearth-store" };
        _thread.Start();
    }

    /// <summary>Runs a write; the result comes once it is on disk. Not cancellable: its outcome would be unknown.</summary>
    public async ValueTask<T> WriteAsync<T>(Func<Sql, T> body)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        T result = default!;
        var write = new Write(sql => result = body(sql), () => done.SetResult(result), e => done.SetException(e));
        var queued = false;
        try
        {
            queued = _queue.TryAdd(write);
        }
        catch (InvalidOperationException)
        {
            throw new StoreException("The store is closed.");
        }
        if (!queued)
            throw new StoreException($"{Limits.StoreWritesQueued} writes wait for the store already.");
        return await done.Task;
    }

    public void Dispose()
    {
        _queue.CompleteAdding();
        _thread.Join();
        _queue.Dispose();
        _sql.Dispose();
        _connection.Dispose();
    }

    void Run()
    {
        var batch = new List<Write>(Limits.StoreWritesPerCommit);
        foreach (var first in _queue.GetConsumingEnumerable())
        {
            batch.Add(first);
            while (batch.Count < Limits.StoreWritesPerCommit && _queue.TryTake(out var next))
                batch.Add(next);
            Commit(batch);
            batch.Clear();
        }
    }

    void Commit(List<Write> batch)
    {
        var committing = false;
        try
        {
            _sql.Execute("BEGIN IMMEDIATE");
            var failures = batch.ConvertAll(RunOne);
            committing = true;
            _sql.Execute("COMMIT");
            for (var i = 0; i < batch.Count; i++)
                Complete(batch[i], failures[i]);
        }
        catch (SqliteException e)
        {
            // On a full disk the commit's last page, which makes it one, is not there: it did not happen.
            var undone = TryRollBack() || e.SqliteErrorCode == Full;
            var failure = new StoreException($"The store could not write: {e.Message}", e, committing && !undone);
            foreach (var write in batch)
                write.Fail(failure);
        }
    }

    /// <summary>A write that throws is undone alone; the others of its batch go on.</summary>
    Exception? RunOne(Write write)
    {
        _sql.Execute("SAVEPOINT one");
        Exception? failure = null;
        try
        {
            write.Run(_sql);
        }
        catch (Exception e) when (!IsOfTheDisk(e))
        {
            failure = e is SqliteException ? new StoreException($"The store could not write: {e.Message}", e) : e;
            _sql.Execute("ROLLBACK TO one");
        }
        _sql.Execute("RELEASE one");
        return failure;
    }

    static void Complete(Write write, Exception? failure)
    {
        if (failure is null)
            write.Done();
        else
            write.Fail(failure);
    }

    bool TryRollBack()
    {
        try
        {
            _sql.Execute("ROLLBACK");
            return true;
        }
        catch (SqliteException)
        {
            // No transaction is left: SQLite rolled it back by itself (disk full, I/O), or it did commit. Nobody can tell here.
            return false;
        }
    }

    /// <summary>Full disk, I/O error, lost memory, corruption: these end the whole transaction.</summary>
    static bool IsOfTheDisk(Exception e) => e is SqliteException { SqliteErrorCode: 7 or 10 or 11 or Full or 26 };

    sealed record Write(Action<Sql> Run, Action Done, Action<Exception> Fail);
}
