using Microsoft.Data.Sqlite;

namespace Hearth.Actors.Storage.Embedded;

/// <summary>The embedded store's tables and their version.</summary>
static class Schema
{
    public const int Version = 2;

    const string Tables = """
        CREATE TABLE grains (
            id INTEGER PRIMARY KEY,
            scope TEXT NOT NULL, name TEXT NOT NULL,
            epoch INTEGER NOT NULL,
            activation TEXT, silo TEXT,
            length INTEGER NOT NULL DEFAULT 0,
            journal_length INTEGER NOT NULL DEFAULT 0,
            state BLOB NOT NULL DEFAULT x'',
            index_key TEXT,
            changed INTEGER NOT NULL,
            deleted INTEGER,
            UNIQUE (scope, name)) STRICT;
        CREATE INDEX grains_by_change ON grains (scope, changed);
        CREATE UNIQUE INDEX grains_by_index_key ON grains (scope, index_key) WHERE index_key IS NOT NULL;
        CREATE TABLE log (
            grain INTEGER NOT NULL, position INTEGER NOT NULL, entry BLOB NOT NULL,
            PRIMARY KEY (grain, position)) STRICT;
        CREATE TABLE journal (
            grain INTEGER NOT NULL, start INTEGER NOT NULL, data BLOB NOT NULL,
            PRIMARY KEY (grain, start)) STRICT;
        CREATE TABLE operations (
            grain INTEGER NOT NULL, operation TEXT NOT NULL,
            number INTEGER NOT NULL, hash TEXT NOT NULL, status INTEGER NOT NULL, epoch INTEGER NOT NULL,
            changed INTEGER NOT NULL, request BLOB, result BLOB,
            PRIMARY KEY (grain, operation)) STRICT;
        CREATE TABLE manifests (
            grain INTEGER PRIMARY KEY, data BLOB NOT NULL, names TEXT NOT NULL,
            bytes INTEGER NOT NULL, units INTEGER NOT NULL, changed INTEGER NOT NULL) STRICT;
        """;

    /// <summary>What makes a database of version i + 1 one of version i + 2.</summary>
    static readonly string[] _steps = ["ALTER TABLE operations ADD COLUMN request BLOB"];

    /// <summary>Creates the tables in an empty database, and brings those of an older version up to this one.</summary>
    /// <exception cref="StoreException">The database was written by another version.</exception>
    public static void Prepare(SqliteConnection connection, string path)
    {
        using var sql = new Sql(connection);
        var version = sql.Scalar<long>("PRAGMA user_version");
        if (version == Version)
            return;
        if (version is < 0 or > Version || (version == 0 && sql.Scalar<long>("SELECT count(*) FROM sqlite_master") != 0))
        {
            throw new StoreException($"{path} has schema {version}, and this version of Hearth knows schemas up to {Version}. "
                + "Use the version that wrote it, or another --data directory.");
        }

        sql.Execute("BEGIN IMMEDIATE");
        foreach (var step in version == 0 ? [Tables] : _steps.AsSpan((int)version - 1))
            sql.Execute(step);
        sql.Execute($"PRAGMA user_version = {Version}");
        sql.Execute("COMMIT");
    }
}
