using System.Security.Cryptography;
using System.Text;

namespace Hearth.Actors.Storage.Embedded;

/// <summary>Blobs as files under one directory per grain; manifests in the database, beside the fence that guards them.
/// Over its limit, or with little room left on the disk, it gives up whole grains, the least recently used first.</summary>
sealed class FileBlobStore : IBlobStore
{
    const string Unfinished = ".part";

    readonly string _directory;
    readonly long _bytesMax;
    readonly SqliteWriter _writer;
    readonly SqliteReaders _readers;
    readonly TimeProvider _time;
    readonly Func<long> _diskRoom;
    readonly Lock _lock = new();
    /// <summary>Bytes on disk per grain directory, and when it was used last, by a counter.</summary>
    readonly Dictionary<string, (GrainId? Grain, long Bytes, long Used)> _usage = [];
    long _bytes;
    long _uses;

    /// <param name="diskRoom">Bytes that blobs may still take of the disk; null measures it.</param>
    public FileBlobStore(string directory, long bytesMax, SqliteWriter writer, SqliteReaders readers, TimeProvider time,
        Func<long>? diskRoom = null)
    {
        (_directory, _bytesMax, _writer, _readers, _time) = (directory, bytesMax, writer, readers, time);
        Directory.CreateDirectory(directory);
        var disk = new DriveInfo(Path.GetFullPath(directory));
        _diskRoom = diskRoom ?? (() => disk.AvailableFreeSpace
            - Math.Min(Limits.DiskReserveBytes, disk.TotalSize / Limits.DiskReservePart));
        Recover();
    }

    public async ValueTask PutAsync(GrainId grain, string name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        CheckName(name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(data.Length, Limits.BlobBytesMax);
        if (data.Length > _bytesMax)
            throw new StoreException($"A blob of {data.Length} bytes is over the limit of {_bytesMax} bytes for all.");
        var folder = FolderOf(grain);
        var path = Path.Combine(_directory, folder, name);
        try
        {
            await MakeRoomAsync(grain, data.Length);
            Directory.CreateDirectory(Path.Combine(_directory, folder));
            if (File.Exists(path))
                return;
            await using (var file = new FileStream(path + Unfinished, FileMode.Create, FileAccess.Write, FileShare.None, 0, true))
            {
                await file.WriteAsync(data, cancellationToken);
                file.Flush(flushToDisk: true);
            }
            File.Move(path + Unfinished, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"A blob of {grain} could not be written: {e.Message}", e);
        }
        Count(folder, grain, data.Length);
    }

    public async ValueTask<int> ReadAsync(
        GrainId grain, string name, Memory<byte> destination, CancellationToken cancellationToken)
    {
        CheckName(name);
        var folder = FolderOf(grain);
        try
        {
            await using var file = new FileStream(
                Path.Combine(_directory, folder, name), FileMode.Open, FileAccess.Read, FileShare.Read, 0, true);
            Count(folder, grain, 0);
            if (file.Length > destination.Length)
                return -1;
            return await file.ReadAtLeastAsync(destination, (int)file.Length, throwOnEndOfStream: true, cancellationToken);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return -1;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"A blob of {grain} could not be read: {e.Message}", e);
        }
    }

    public async ValueTask<PublishOutcome> PublishAsync(
        GrainId grain, Fence fence, BlobManifest manifest, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(manifest.Data.Length, Limits.ManifestBytesMax);
        var folder = Path.Combine(_directory, FolderOf(grain));
        if (!manifest.Names.All(n => File.Exists(Path.Combine(folder, n))))
            return PublishOutcome.Missing;
        var written = await _writer.WriteAsync(sql =>
        {
            if (GrainRow.FindOwned(sql, grain, fence) is not { } row)
                return false;
            sql.Execute("""
                INSERT INTO manifests (grain, data, names, bytes, units, changed) VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (grain) DO UPDATE SET data = $2, names = $3, bytes = $4, units = $5, changed = $6
                """, row.Id, manifest.Data, string.Join(' ', manifest.Names), manifest.Bytes, manifest.Units,
                _time.GetUtcNow().ToUnixTimeMilliseconds());
            return true;
        });
        if (!written)
            return PublishOutcome.Fenced;
        DeleteAllBut(folder, manifest.Names);
        Recount(grain);
        return PublishOutcome.Published;
    }

    public ValueTask<BlobManifest?> ReadManifestAsync(GrainId grain, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_readers.Read(sql => sql.Rows("""
            SELECT m.data, m.names, m.bytes, m.units FROM manifests m JOIN grains g ON g.id = m.grain
            WHERE g.scope = $1 AND g.name = $2
            """, r => new BlobManifest(r.GetFieldValue<byte[]>(0), Split(r.GetString(1)), r.GetInt64(2), r.GetInt32(3)),
            grain.Scope, grain.Name) is [var manifest] ? manifest : null));

    public async ValueTask ClearAsync(GrainId grain, CancellationToken cancellationToken)
    {
        await _writer.WriteAsync(sql => sql.Execute(
            "DELETE FROM manifests WHERE grain = (SELECT id FROM grains WHERE scope = $1 AND name = $2)",
            grain.Scope, grain.Name));
        Remove(FolderOf(grain));
    }

    /// <summary>A grain's names may hold characters that file systems treat each in their own way.</summary>
    static string FolderOf(GrainId grain) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{grain.Scope}\n{grain.Name}")).AsSpan(0, 16));

    static void CheckName(string name)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(name.Length, Limits.BlobNameLengthMax);
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            throw new ArgumentException($"'{name}' is not a blob's name.", nameof(name));
    }

    /// <summary>At start: unfinished files and what no manifest names go. A manifest whose blobs are gone stays: its reader
    /// finds out, and writes them again.</summary>
    void Recover()
    {
        var manifests = _readers.Read(sql => sql.Rows(
            "SELECT g.scope, g.name, m.names FROM manifests m JOIN grains g ON g.id = m.grain ORDER BY m.changed",
            r => (Grain: new GrainId(r.GetString(0), r.GetString(1)), Names: Split(r.GetString(2)))));
        var known = manifests.ToDictionary(m => FolderOf(m.Grain));
        foreach (var folder in Directory.GetDirectories(_directory))
        {
            if (known.TryGetValue(Path.GetFileName(folder), out var manifest))
                DeleteAllBut(folder, manifest.Names);
            else
                Directory.Delete(folder, recursive: true);
        }
        foreach (var (grain, _) in manifests)
            Recount(grain);
    }

    async ValueTask MakeRoomAsync(GrainId grain, long bytes)
    {
        while (true)
        {
            GrainId? oldest;
            var diskFull = _diskRoom() < bytes;
            lock (_lock)
            {
                if (_bytes + bytes <= _bytesMax && !diskFull)
                    return;
                oldest = _usage.Values.Where(u => u.Grain != grain).OrderBy(u => u.Used).Select(u => u.Grain).FirstOrDefault();
            }
            if (oldest is null)
            {
                throw new StoreException(diskFull
                    ? "The disk is almost full: what room there is, is left to the conversations themselves."
                    : $"The blobs of {grain} alone are over the limit of {_bytesMax} bytes.");
            }
            await ClearAsync(oldest.Value, CancellationToken.None);
        }
    }

    void Count(string folder, GrainId grain, long bytes)
    {
        lock (_lock)
        {
            var (_, before, _) = _usage.GetValueOrDefault(folder);
            _usage[folder] = (grain, before + bytes, ++_uses);
            _bytes += bytes;
        }
    }

    void Recount(GrainId grain)
    {
        var folder = FolderOf(grain);
        var directory = new DirectoryInfo(Path.Combine(_directory, folder));
        var bytes = directory.Exists ? directory.EnumerateFiles().Sum(f => f.Length) : 0;
        lock (_lock)
        {
            _bytes += bytes - _usage.GetValueOrDefault(folder).Bytes;
            _usage[folder] = (grain, bytes, ++_uses);
        }
    }

    void Remove(string folder)
    {
        lock (_lock)
        {
            if (_usage.Remove(folder, out var usage))
                _bytes -= usage.Bytes;
        }
        var path = Path.Combine(_directory, folder);
        try
        {
            if (Directory.Exists(path))
                Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"Blobs in {path} could not be deleted: {e.Message}", e);
        }
    }

    static string[] Split(string names) => names.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    static void DeleteAllBut(string folder, IReadOnlyList<string> names)
    {
        var keep = names.ToHashSet();
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            if (!keep.Contains(Path.GetFileName(file)))
                File.Delete(file);
        }
    }
}
