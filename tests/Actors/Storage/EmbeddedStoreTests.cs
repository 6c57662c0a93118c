using Hearth.Actors.Storage.Embedded;
using Hearth.Actors.Storage;
using Hearth.Tests.Shared;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Hearth.Actors.Tests.Storage;

public sealed class EmbeddedGrainStoreTests : SharedGrainStoreProperties, IDisposable
{
    readonly TemporaryDirectory _directory = new();
    readonly EmbeddedStore _store;

    public EmbeddedGrainStoreTests() => _store = EmbeddedStore.Open(_directory.Path, 1 << 20, new VirtualTime());

    protected override IGrainStore Store => _store.Grains;

    public void Dispose()
    {
        _store.Dispose();
        _directory.Dispose();
    }
}

public sealed class EmbeddedStoreTests : IDisposable
{
    static readonly GrainId Grain = new("tenant", "conversation");
    static readonly Fence Fence = new(1, "a");

    readonly TemporaryDirectory _directory = new();
    readonly VirtualTime _time = new();

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void ASecondOneOnTheSameDirectoryIsRefused()
    {
        using var first = Open();
        var refusal = Assert.Throws<StoreException>(() => Open().Dispose());
        Assert.Contains("in use by another process", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADatabaseOfAnotherVersionIsRefused()
    {
        Open().Dispose();
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(_directory.Path, "hearth.db")};Pooling=false"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA user_version = 7";
            command.ExecuteNonQuery();
        }
        var refusal = Assert.Throws<StoreException>(() => Open().Dispose());
        Assert.Contains("schema 7", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>The tables as version 1 had them, with a conversation in them.</summary>
    [Fact]
    public async Task ADatabaseOfAnOlderVersionIsBroughtUpWithAllThatIsInIt()
    {
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(_directory.Path, "hearth.db")};Pooling=false"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = """
                CREATE TABLE grains (
                    id INTEGER PRIMARY KEY, scope TEXT NOT NULL, name TEXT NOT NULL, epoch INTEGER NOT NULL,
                    activation TEXT, silo TEXT, length INTEGER NOT NULL DEFAULT 0, journal_length INTEGER NOT NULL DEFAULT 0,
                    state BLOB NOT NULL DEFAULT x'', index_key TEXT, changed INTEGER NOT NULL, deleted INTEGER,
                    UNIQUE (scope, name)) STRICT;
                CREATE INDEX grains_by_change ON grains (scope, changed);
                CREATE UNIQUE INDEX grains_by_index_key ON grains (scope, index_key) WHERE index_key IS NOT NULL;
                CREATE TABLE log (
                    grain INTEGER NOT NULL, position INTEGER NOT NULL, entry BLOB NOT NULL, PRIMARY KEY (grain, position)) STRICT;
                CREATE TABLE journal (
                    grain INTEGER NOT NULL, start INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (grain, start)) STRICT;
                CREATE TABLE operations (
                    grain INTEGER NOT NULL, operation TEXT NOT NULL, number INTEGER NOT NULL, hash TEXT NOT NULL,
                    status INTEGER NOT NULL, epoch INTEGER NOT NULL, changed INTEGER NOT NULL, result BLOB,
                    PRIMARY KEY (grain, operation)) STRICT;
                CREATE TABLE manifests (
                    grain INTEGER PRIMARY KEY, data BLOB NOT NULL, names TEXT NOT NULL, bytes INTEGER NOT NULL,
                    units INTEGER NOT NULL, changed INTEGER NOT NULL) STRICT;
                INSERT INTO grains VALUES (1, 'tenant', 'conversation', 1, 'a', 's1', 1, 2, x'05', 'key', 0, NULL);
                INSERT INTO log VALUES (1, 0, x'0102');
                INSERT INTO journal VALUES (1, 0, x'0304');
                INSERT INTO operations VALUES (1, 't1', 1, 'h', 1, 1, 0, x'06'), (1, 't2', 2, 'h', 0, 1, 0, NULL);
                PRAGMA user_version = 1;
                """;
            command.ExecuteNonQuery();
        }
        using (var store = Open())
        {
            var read = (await store.Grains.ReadAsync(Grain, Stop))!;
            Assert.Equal([[1, 2], [3, 4], [5]], new[] { read.Log.Single(), read.Journal, read.Summary.State });
            Assert.Equal("t2", read.Pending.Single().Id);
            Assert.Equal([6], (await store.Grains.BeginAsync(Grain, Fence, "t1", "h", default, Stop)).Result!);
            await store.Grains.BeginAsync(Grain, Fence, "t3", "h", new byte[] { 7 }, Stop);
        }
        using var again = Open();
        Assert.Equal([7], (await again.Grains.FindOperationAsync(Grain, "t3", Stop))!.Request!);
    }

    [Fact]
    public void AFileThatIsNoDatabaseIsRefused()
    {
        File.WriteAllText(Path.Combine(_directory.Path, "hearth.db"), new string('x', 5000));
        Assert.Contains(_directory.Path, Assert.Throws<StoreException>(() => Open().Dispose()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatWasCommittedIsThereAfterACrash()
    {
        using var store = Open();
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        await store.Grains.BeginAsync(Grain, Fence, "t1", "h", default, Stop);
        await store.Grains.CommitAsync(Grain, Fence, Entry("one", "t1"), Stop);
        await store.Grains.BeginAsync(Grain, Fence, "t2", "h", default, Stop);
        await store.Blobs.PutAsync(Grain, "b1", new byte[100], Stop);
        await store.Blobs.PublishAsync(Grain, Fence, new BlobManifest([1], ["b1"], 100, 7), Stop);

        // The files as the disk has them at this moment, write-ahead log and all: what a process that is killed leaves.
        using var copy = new TemporaryDirectory();
        foreach (var file in Directory.GetFiles(_directory.Path, "*", SearchOption.AllDirectories))
        {
            if (file.EndsWith("lock", StringComparison.Ordinal))
                continue;
            var target = Path.Combine(copy.Path, Path.GetRelativePath(_directory.Path, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            using var from = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var to = File.Create(target);
            from.CopyTo(to);
        }
        using var survivor = EmbeddedStore.Open(copy.Path, 1 << 20, new VirtualTime());
        var read = await survivor.Grains.ReadAsync(Grain, Stop);
        Assert.Equal("one"u8.ToArray(), Assert.Single(read!.Log));
        Assert.Equal(7, read.Summary.BlobUnits);
        Assert.Equal(AcquireOutcome.Owned, (await survivor.Grains.AcquireAsync(Grain, "s2", "b", null, Stop)).Outcome);
        await survivor.Grains.AcquireAsync(Grain, "s2", "b", "a", Stop);
        var fence = new Fence(2, "b");
        Assert.Equal(BeginOutcome.Committed, (await survivor.Grains.BeginAsync(Grain, fence, "t1", "h", default, Stop)).Outcome);
        Assert.Equal(BeginOutcome.TakenOver, (await survivor.Grains.BeginAsync(Grain, fence, "t2", "h", default, Stop)).Outcome);
        Assert.Equal(100, await survivor.Blobs.ReadAsync(Grain, "b1", new byte[200], Stop));
    }

    [Fact]
    public async Task ATombstoneIsForgottenInTimeAndTheEpochGoesOn()
    {
        using var store = Open();
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        await store.Grains.DeleteAsync(Grain, Stop);
        Assert.Equal(AcquireOutcome.Deleted, (await store.Grains.AcquireAsync(Grain, "s1", "b", null, Stop)).Outcome);
        _time.Advance(Limits.TombstoneAge);
        Assert.Equal(2, (await store.Grains.AcquireAsync(Grain, "s1", "b", null, Stop)).Epoch);
        Assert.Empty((await store.Grains.ReadAsync(Grain, Stop))!.Log);
    }

    [Fact]
    public async Task AWriteThatFailsTakesNoOtherOfItsBatchWithIt()
    {
        using var store = Open();
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        var tooLong = new GrainId("tenant", new string('x', 1000));
        var bad = store.Grains.AcquireAsync(tooLong, "s1", "b", null, Stop);
        var good = store.Grains.CommitAsync(Grain, Fence, Entry("one", null), Stop);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await bad);
        Assert.Equal(CommitOutcome.Done, (await good).Outcome);
    }

    [Fact]
    public async Task AManifestIsPublishedUnderTheFenceOnlyAndOnlyWithItsBlobs()
    {
        using var store = Open();
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        await store.Blobs.PutAsync(Grain, "b1", new byte[10], Stop);
        await store.Blobs.PutAsync(Grain, "b2", new byte[20], Stop);
        var both = new BlobManifest([1, 2], ["b1", "b2"], 30, 2);
        Assert.Equal(PublishOutcome.Fenced, await store.Blobs.PublishAsync(Grain, new Fence(1, "x"), both, Stop));
        var gone = both with { Names = ["b1", "b3"] };
        Assert.Equal(PublishOutcome.Missing, await store.Blobs.PublishAsync(Grain, Fence, gone, Stop));
        Assert.Null(await store.Blobs.ReadManifestAsync(Grain, Stop));
        Assert.Equal(PublishOutcome.Published, await store.Blobs.PublishAsync(Grain, Fence, both, Stop));
        Assert.Equal(PublishOutcome.Published, await store.Blobs.PublishAsync(Grain, Fence, both with { Names = ["b2"] }, Stop));
        Assert.Equal(-1, await store.Blobs.ReadAsync(Grain, "b1", new byte[200], Stop));
        Assert.Equal(20, await store.Blobs.ReadAsync(Grain, "b2", new byte[20], Stop));
        Assert.Equal(-1, await store.Blobs.ReadAsync(Grain, "b2", new byte[19], Stop));
        await store.Blobs.ClearAsync(Grain, Stop);
        Assert.Null(await store.Blobs.ReadManifestAsync(Grain, Stop));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_directory.Path, "spill")));
    }

    [Fact]
    public async Task BlobsOverTheLimitPushOutTheGrainThatNobodyUsedLongest()
    {
        using var store = Open(blobBytesMax: 100);
        foreach (var name in new[] { "one", "two", "three" })
        {
            var grain = new GrainId("tenant", name);
            await store.Grains.AcquireAsync(grain, "s1", "a", null, Stop);
            await store.Blobs.PutAsync(grain, "b", new byte[40], Stop);
            await store.Blobs.PublishAsync(grain, Fence, new BlobManifest([], ["b"], 40, 1), Stop);
            if (name == "two")
                await store.Blobs.ReadAsync(new GrainId("tenant", "one"), "b", new byte[4096], Stop);
        }
        Assert.NotNull(await store.Blobs.ReadManifestAsync(new GrainId("tenant", "one"), Stop));
        Assert.Null(await store.Blobs.ReadManifestAsync(new GrainId("tenant", "two"), Stop));
        await Assert.ThrowsAsync<StoreException>(async () => await store.Blobs.PutAsync(Grain, "big", new byte[101], Stop));
    }

    [Fact]
    public async Task OnADiskThatIsAlmostFullBlobsGiveWayAndTranscriptsAreStillWritten()
    {
        var room = 50L;
        using var store = EmbeddedStore.Open(_directory.Path, 1 << 20, new VirtualTime(), () => room);
        var other = new GrainId("tenant", "other");
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        await store.Grains.AcquireAsync(other, "s1", "a", null, Stop);
        await store.Blobs.PutAsync(Grain, "b", new byte[40], Stop);
        await store.Blobs.PublishAsync(Grain, Fence, new BlobManifest([], ["b"], 40, 1), Stop);
        room = 10;
        var refusal = await Assert.ThrowsAsync<StoreException>(async () => await store.Blobs.PutAsync(other, "b", new byte[40], Stop));
        Assert.Contains("almost full", refusal.Message, StringComparison.Ordinal);
        Assert.Null(await store.Blobs.ReadManifestAsync(Grain, Stop));
        Assert.Equal(CommitOutcome.Done, (await store.Grains.CommitAsync(Grain, Fence, Entry("one", null), Stop)).Outcome);
    }

    [Fact]
    public async Task UnfinishedAndUnnamedBlobsGoAtStart()
    {
        using (var store = Open())
        {
            await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
            await store.Blobs.PutAsync(Grain, "named", new byte[10], Stop);
            await store.Blobs.PublishAsync(Grain, Fence, new BlobManifest([], ["named"], 10, 1), Stop);
            await store.Blobs.PutAsync(Grain, "unnamed", new byte[10], Stop);
            await store.Blobs.PutAsync(new GrainId("tenant", "stray"), "b", new byte[10], Stop);
        }
        var folder = Directory.GetDirectories(Path.Combine(_directory.Path, "spill"))
            .Single(d => File.Exists(Path.Combine(d, "named")));
        File.WriteAllBytes(Path.Combine(folder, "next.part"), [1]);
        using var reopened = Open();
        Assert.Equal([Path.Combine(folder, "named")],
            Directory.GetFiles(Path.Combine(_directory.Path, "spill"), "*", SearchOption.AllDirectories));
    }

    EmbeddedStore Open(long blobBytesMax = 1 << 20) => EmbeddedStore.Open(_directory.Path, blobBytesMax, _time);

    static GrainCommit Entry(string text, string? operation) => new()
    {
        Operation = operation,
        Hash = "h",
        ExpectedLength = 0,
        Keep = 0,
        JournalKeep = 0,
        State = default,
        Append = [System.Text.Encoding.UTF8.GetBytes(text)],
    };
}
