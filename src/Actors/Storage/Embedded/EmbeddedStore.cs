using Hearth.Actors.Metrics;
using Microsoft.Data.Sqlite;

namespace Hearth.Actors.Storage.Embedded;

/// <summary>The stores of one process, in one directory: <c>hearth.db</c> (SQLite, every commit on disk), <c>spill/</c> and
/// <c>lock</c>.
/// Opening it after a crash at any point recovers what was committed.</summary>
public sealed class EmbeddedStore : IDisposable
{
    readonly FileStream _lock;
    readonly SqliteWriter _writer;
    readonly SqliteGrainStore _grains;
    readonly TimeProvider _time;

    EmbeddedStore(FileStream held, SqliteWriter writer, SqliteGrainStore grains, IBlobStore blobs, TimeProvider time) =>
        (_lock, _writer, _grains, Grains, Blobs, _time) =
            (held, writer, grains, new MeteredGrainStore(grains, new StoreClock(time, null)), blobs, time);

    public IGrainStore Grains { get; }
    public IBlobStore Blobs { get; }

    /// <summary>Removes the grains in which nothing has happened for so long, with all that belongs to them.</summary>
    /// <returns>How many.</returns>
    /// <exception cref="StoreException">The store could not write: the next call goes on.</exception>
    public async Task<int> ExpireAsync(TimeSpan retention, CancellationToken cancellationToken)
    {
        var since = _time.GetUtcNow() - retention;
        for (var expired = 0; ;)
        {
            var gone = await _grains.ExpireAsync(since);
            foreach (var grain in gone)
                await Blobs.ClearAsync(grain, cancellationToken);
            expired += gone.Count;
            if (gone.Count == 0)
                return expired;
        }
    }

    /// <param name="directory">Created if it is not there.</param>
    /// <param name="blobBytesMax">Most bytes of all blobs together.</param>
    /// <exception cref="StoreException">Another process holds it, another version wrote it, or it cannot be opened.</exception>
    public static EmbeddedStore Open(string directory, long blobBytesMax, TimeProvider time) =>
        Open(directory, blobBytesMax, time, null);

    /// <param name="diskRoom">Bytes that blobs may still take of the disk; null measures it.</param>
    internal static EmbeddedStore Open(string directory, long blobBytesMax, TimeProvider time, Func<long>? diskRoom)
    {
        FileStream? held = null;
        SqliteWriter? writer = null;
        try
        {
            Directory.CreateDirectory(directory);
            held = Hold(directory);
            var path = Path.Combine(directory, "hearth.db");
            writer = new SqliteWriter(OpenForWriting(ConnectionTo(path, pooling: false), path, time));
            var readers = new SqliteReaders(ConnectionTo(path, pooling: true));
            var blobs = new FileBlobStore(Path.Combine(directory, "spill"), blobBytesMax, writer, readers, time, diskRoom);
            return new EmbeddedStore(held, writer, new SqliteGrainStore(writer, readers, time), blobs, time);
        }
        catch (Exception e)
        {
            writer?.Dispose();
            held?.Dispose();
            if (e is SqliteException or IOException or UnauthorizedAccessException)
                throw new StoreException($"The data directory {directory} cannot be opened: {e.Message}", e);
            throw;
        }
    }

    public void Dispose()
    {
        _writer.Dispose();
        SqliteConnection.ClearAllPools();
        _lock.Dispose();
    }

    /// <summary>The operating system lets go of it when the process ends, however it ends.</summary>
    static FileStream Hold(string directory)
    {
        var path = Path.Combine(directory, "lock");
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new StoreException($"The data directory {directory} is in use by another process. "
                + "Stop that one, or give this one another directory with --data.", e);
        }
    }

    static string ConnectionTo(string path, bool pooling) =>
        new SqliteConnectionStringBuilder { DataSource = path, DefaultTimeout = Limits.StoreBusySeconds, Pooling = pooling }
            .ConnectionString;

    static SqliteConnection OpenForWriting(string options, string path, TimeProvider time)
    {
        var connection = new SqliteConnection(options);
        try
        {
            connection.Open();
            using var sql = new Sql(connection);
            sql.Execute("PRAGMA journal_mode = WAL");
            sql.Execute("PRAGMA synchronous = FULL");
            Schema.Prepare(connection, path);
            var forgotten = (time.GetUtcNow() - Limits.TombstoneAge).ToUnixTimeMilliseconds();
            sql.Execute("DELETE FROM grains WHERE deleted < $1", forgotten);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}
