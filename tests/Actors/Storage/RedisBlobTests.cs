using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Redis;
using Hearth.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Actors.Tests.Storage;

/// <summary>Blobs on a spill server beside the control server.</summary>
public sealed class RedisBlobTests : IAsyncLifetime
{
    static readonly GrainId Grain = new("tenant", "conversation");

    readonly RedisServer _control = RedisServer.Start();
    readonly RedisServer _spill = RedisServer.Start();
    RedisStore? _store;

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _store = await ConnectAsync(_spill.Address);

    public async ValueTask DisposeAsync()
    {
        await _store!.DisposeAsync();
        _control.Dispose();
        _spill.Dispose();
    }

    [Fact]
    public async Task PublishedBlobsComeBackAndTheOnesReplacedGo()
    {
        var fence = await OwnAsync("a", null);
        var large = new byte[5 << 20];
        new Random(1).NextBytes(large);
        await _store!.Blobs.PutAsync(Grain, "b1", large, Stop);
        await _store.Blobs.PutAsync(Grain, "b2", new byte[] { 1, 2, 3 }, Stop);
        Assert.Equal(PublishOutcome.Published, await PublishAsync(fence, "b1", "b2"));
        Assert.Equal(7, (await _store.Grains.DescribeAsync(Grain, Stop))!.BlobUnits);

        var back = new byte[large.Length];
        Assert.Equal(large.Length, await _store.Blobs.ReadAsync(Grain, "b1", back, Stop));
        Assert.Equal(large, back);
        Assert.Equal(-1, await _store.Blobs.ReadAsync(Grain, "b0", back, Stop));

        await _store.Blobs.PutAsync(Grain, "b3", new byte[10], Stop);
        Assert.Equal(PublishOutcome.Published, await PublishAsync(fence, "b1", "b3"));
        Assert.Equal(-1, await _store.Blobs.ReadAsync(Grain, "b2", back, Stop));
        Assert.Equal(["b1", "b3"], (await _store.Blobs.ReadManifestAsync(Grain, Stop))!.Names);
        Assert.Equal(PublishOutcome.Missing, await PublishAsync(fence, "b1", "b2"));
    }

    [Fact]
    public async Task ABlobOfAnyLengthIsReadWholeOrRangeByRangeAndOneTooLongIsNot()
    {
        const int Whole = 4 << 20;
        foreach (var length in new[] { 1, 1 << 20, Whole, Whole + 1, (5 << 20) - 1, 5 << 20, (6 << 20) + 7 })
        {
            var blob = new byte[length];
            new Random(length).NextBytes(blob);
            await _store!.Blobs.PutAsync(Grain, "b1", blob, Stop);
            var back = new byte[length + 1];
            Assert.Equal(length, await _store.Blobs.ReadAsync(Grain, "b1", back, Stop));
            Assert.Equal(blob, back[..length]);
            var tooShort = back.AsMemory(0, length - 1);
            if (tooShort.Length > Whole)
            {
                Assert.Equal(-1, await _store.Blobs.ReadAsync(Grain, "b1", tooShort, Stop));
            }
            else
            {
                await Assert.ThrowsAsync<StoreException>(() => _store.Blobs.ReadAsync(Grain, "b1", tooShort, Stop).AsTask());
            }
        }
        Assert.InRange(AgeOf("b1"), 3600, 7 * 24 * 3600); // Reading puts off its end.
    }

    [Fact]
    public async Task WhatNoManifestNamesIsGoneAfterAMinuteAndWhatIsNamedStays()
    {
        var fence = await OwnAsync("a", null);
        await _store!.Blobs.PutAsync(Grain, "b1", new byte[10], Stop);
        await _store.Blobs.PutAsync(Grain, "b2", new byte[10], Stop);
        await PublishAsync(fence, "b1");
        Assert.InRange(AgeOf("b2"), 1, 60);
        Assert.InRange(AgeOf("b1"), 3600, 7 * 24 * 3600);
    }

    [Fact]
    public async Task AFormerOwnerPublishesNothingAndTakesItsBlobsAway()
    {
        var old = await OwnAsync("a", null);
        await _store!.Blobs.PutAsync(Grain, "b1", new byte[10], Stop);
        await PublishAsync(old, "b1");
        var now = await OwnAsync("b", "a");
        await _store.Blobs.PutAsync(Grain, "old2", new byte[10], Stop);
        Assert.Equal(PublishOutcome.Fenced, await PublishAsync(old, "b1", "old2"));
        Assert.Equal(-1, await _store.Blobs.ReadAsync(Grain, "old2", new byte[10], Stop));
        Assert.Equal(10, await _store.Blobs.ReadAsync(Grain, "b1", new byte[10], Stop));
        Assert.Equal(PublishOutcome.Published, await PublishAsync(now, "b1"));
    }

    [Fact]
    public async Task ADeletedGrainLeavesNoKey()
    {
        var fence = await OwnAsync("a", null);
        await _store!.Blobs.PutAsync(Grain, "b1", new byte[10], Stop);
        await PublishAsync(fence, "b1");
        Assert.True(await _store.Grains.DeleteAsync(Grain, Stop));
        Assert.Equal("", _spill.Ask("KEYS", "*conversation*"));
        Assert.EndsWith(":x", _control.Ask("KEYS", "*conversation*"), StringComparison.Ordinal);
        await _store.Blobs.PutAsync(Grain, "b2", new byte[10], Stop);
        Assert.Equal(PublishOutcome.Fenced, await PublishAsync(fence, "b2"));
        Assert.Equal("", _spill.Ask("KEYS", "*conversation*"));
    }

    [Fact]
    public async Task ASpillServerThatStartsAgainIsUsedAgainAndOneThatIsGoneIsSaidSo()
    {
        await _store!.Blobs.PutAsync(Grain, "b1", new byte[10], Stop);
        await _spill.RestartAsync();
        Assert.Equal(10, await _store.Blobs.ReadAsync(Grain, "b1", new byte[10], Stop));
        _spill.Kill();
        await Assert.ThrowsAsync<StoreException>(async () => await _store.Blobs.ReadAsync(Grain, "b1", new byte[10], Stop));
        await Assert.ThrowsAsync<StoreException>(async () => await _store.Blobs.PutAsync(Grain, "b2", new byte[10], Stop));
    }

    [Fact]
    public async Task ACancelledReadLeavesTheCallersMemoryAlone()
    {
        var large = new byte[8 << 20];
        await _store!.Blobs.PutAsync(Grain, "b1", large, Stop);
        _spill.Pause();
        using var cancel = new CancellationTokenSource();
        var read = _store.Blobs.ReadAsync(Grain, "b1", large, cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        _spill.Resume();
        Assert.Equal(large.Length, await _store.Blobs.ReadAsync(Grain, "b1", large, Stop));
    }

    [Fact]
    public async Task AFullSpillServerRefusesAndSaysWhy()
    {
        _spill.Ask("CONFIG", "SET", "maxmemory", "3mb");
        var refused = await Assert.ThrowsAsync<StoreException>(
            async () => await _store!.Blobs.PutAsync(Grain, "b1", new byte[4 << 20], Stop));
        Assert.Contains("OOM", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InARedisClusterEachConversationIsFoundOnItsServer()
    {
        var servers = RedisServer.StartCluster(3);
        try
        {
            await using var store = await ConnectAsync(servers[0].Address);
            for (var i = 0; i < 20; i++)
            {
                var grain = new GrainId("tenant", $"c{i}");
                await store.Blobs.PutAsync(grain, "b", new byte[i + 1], Stop);
                Assert.Equal(i + 1, await store.Blobs.ReadAsync(grain, "b", new byte[100], Stop));
            }
        }
        finally
        {
            Array.ForEach(servers, s => s.Dispose());
        }
    }

    async Task<RedisStore> ConnectAsync(string spill) => await RedisStore.ConnectAsync(
        new RedisOptions { Control = _control.Address, Spill = spill }, TimeProvider.System, NullLogger.Instance, Stop);

    async Task<Fence> OwnAsync(string activation, string? previous) =>
        new((await _store!.Grains.AcquireAsync(Grain, "s", activation, previous, Stop)).Epoch, activation);

    ValueTask<PublishOutcome> PublishAsync(Fence fence, params string[] names) =>
        _store!.Blobs.PublishAsync(Grain, fence, new BlobManifest([1], names, 100, 7), Stop);

    long AgeOf(string name) => long.Parse(
        _spill.Ask("TTL", $"hearth:{{tenant/conversation}}:b:{name}"), System.Globalization.CultureInfo.InvariantCulture);
}
