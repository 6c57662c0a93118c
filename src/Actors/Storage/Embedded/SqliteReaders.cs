using Microsoft.Data.Sqlite;

namespace Hearth.Actors.Storage.Embedded;

/// <summary>Reads beside the writer: each gets a connection of its own for one consistent view.</summary>
sealed class SqliteReaders(string connectionString)
{
    public T Read<T>(Func<Sql, T> body)
    {
        try
        {
            using var connection = new SqliteConnection(connectionString);
            connection.Open();
            using var transaction = connection.BeginTransaction(deferred: true);
            using var sql = new Sql(connection);
            return body(sql);
        }
        catch (SqliteException e)
        {
            throw new StoreException($"The store could not read: {e.Message}", e);
        }
    }
}
