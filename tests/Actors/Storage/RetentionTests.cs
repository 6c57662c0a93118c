using System.Globalization;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Embedded;
using Hearth.Actors.Storage.Redis;
using Hearth.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using static Hearth.Actors.Tests.Storage.RedisCalls;

namespace Hearth.Actors.Tests.Storage;

/// <summary>A grain in which nothing happens for long enough is removed whole.</summary>
public sealed class RetentionTests : IDisposable
{
    const string Tag = "hearth:{tenant/conversation}:";

    static readonly GrainId Grain = new("tenant", "conversation");
    static readonly GrainId Other = new("tenant", "other");
    static readonly Fence Fence = new(1, "a");
    static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    readonly TemporaryDirectory _directory = new();
    readonly VirtualTime _time = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task OnRedisAllKeysOfAGrainEndAtOneMomentThatEveryOperationPutsOff()
    {
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server, Hour);
        await LiveAsync(store.Grains, store.Blobs, Grain, 0);
        AssertEnds(server, TimeSpan.FromMinutes(59), Hour);
        Assert.InRange(TimeLeft(server, $"{Tag}b:b"), TimeSpan.FromMinutes(59), Hour);
        Assert.InRange(TimeLeft(server, "hearth:{tenant}:h:key0"), TimeSpan.FromMinutes(59), Hour);
        Assert.InRange(TimeLeft(server, "hearth:{tenant}:index"), TimeSpan.FromMinutes(119), 2 * Hour);

        // Nearly over, but for a turn that begins; and again, but for one that ends.
        AgeBy(server, TimeSpan.FromMinutes(50));
        AssertEnds(server, TimeSpan.FromMinutes(9), TimeSpan.FromMinutes(10));
        await store.Grains.BeginAsync(Grain, Fence, "next", "h", default, Stop);
        AssertEnds(server, TimeSpan.FromMinutes(59), Hour);
        AgeBy(server, TimeSpan.FromMinutes(50));
        await LiveAsync(store.Grains, store.Blobs, Grain, 1, begin: false);
        AssertEnds(server, TimeSpan.FromMinutes(59), Hour);
    }

    [Fact]
    public async Task OnRedisAnExpiredGrainIsNoOnesAndANewOneMayHaveItsName()
    {
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server, Hour);
        await LiveAsync(store.Grains, store.Blobs, Grain, 0);
        AgeBy(server, Hour);
        Assert.Equal("", server.Ask("KEYS", Tag + "*"));
        Assert.Equal(BeginOutcome.Fenced, (await store.Grains.BeginAsync(Grain, Fence, "t", "h", default, Stop)).Outcome);
        Assert.Equal(CommitOutcome.Fenced, (await store.Grains.CommitAsync(Grain, Fence, Step(1, "x"), Stop)).Outcome);
        Assert.Equal(PublishOutcome.Missing, await PublishAsync(store.Blobs, Grain));
        Assert.Equal("", server.Ask("KEYS", Tag + "*"));
        Assert.Null(await store.Grains.FindAsync("tenant", "key0", Stop));
        Assert.Empty(await store.Grains.ListAsync("tenant", 10, Stop));
        Assert.Equal("", server.Ask("KEYS", "*"));
        Assert.Equal(new AcquireResult(AcquireOutcome.Acquired, 1), await store.Grains.AcquireAsync(Grain, "s2", "b", null, Stop));
        Assert.Equal(WriteOutcome.Fenced, await store.Grains.ReleaseAsync(Grain, Fence, Stop));
        Assert.Empty((await store.Grains.ReadAsync(Grain, Stop))!.Log);
    }

    [Fact]
    public async Task OnRedisAnIndexForgetsWhatIsLongGoneAndWithoutARetentionAGrainStays()
    {
        using var server = RedisServer.Start();
        await using (var store = await ConnectAsync(server, Hour))
        {
            server.Ask("ZADD", "hearth:{tenant}:index", "1", "long-gone");
            await LiveAsync(store.Grains, store.Blobs, Grain, 0);
            Assert.Equal("conversation", server.Ask("ZRANGE", "hearth:{tenant}:index", "0", "-1"));
        }
        await using var forever = await ConnectAsync(server, null);
        await LiveAsync(forever.Grains, forever.Blobs, Grain, 1, begin: true);
        foreach (var key in server.Ask("KEYS", "*").Split('\n').Where(k => !k.Contains(":b:", StringComparison.Ordinal)))
            Assert.Equal("-1", server.Ask("TTL", key));
    }

    [Fact]
    public async Task InTheEmbeddedStoreASweepLeavesNothingOfOldGrainsAndAllOfTheOthers()
    {
        using var store = EmbeddedStore.Open(_directory.Path, 1 << 20, _time);
        await LiveAsync(store.Grains, store.Blobs, Grain, 0);
        await LiveAsync(store.Grains, store.Blobs, Other, 0);
        var running = new GrainId("tenant", "running");
        await LiveAsync(store.Grains, store.Blobs, running, 0);
        for (var i = 0; i < Limits.GrainsExpiredAtOnce + 5; i++)
            await store.Grains.AcquireAsync(new GrainId("tenant", $"{i}"), "s1", "a", null, Stop);
        _time.Advance(Hour);
        await LiveAsync(store.Grains, store.Blobs, Other, 1);
        await store.Grains.BeginAsync(running, Fence, "t1", "h", default, Stop);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(Limits.GrainsExpiredAtOnce + 6, await store.ExpireAsync(Hour, Stop));
        Assert.Equal(0, await store.ExpireAsync(Hour, Stop));
        Assert.Equal([Other, running], (await store.Grains.ListAsync("tenant", 1000, Stop)).Select(s => s.Id));
        Assert.Equal(2, Directory.GetDirectories(Path.Combine(_directory.Path, "spill")).Length);
        Assert.Equal(2, (await store.Grains.ReadAsync(Other, Stop))!.Log.Count);

        Assert.Equal(BeginOutcome.Fenced, (await store.Grains.BeginAsync(Grain, Fence, "t", "h", default, Stop)).Outcome);
        Assert.Null(await store.Grains.FindOperationAsync(Grain, "t0", Stop));
        Assert.Equal(new AcquireResult(AcquireOutcome.Acquired, 1), await store.Grains.AcquireAsync(Grain, "s2", "b", null, Stop));
        Assert.Equal(WriteOutcome.Fenced, await store.Grains.ReleaseAsync(Grain, Fence, Stop));
        Assert.Empty((await store.Grains.ReadAsync(Grain, Stop))!.Log);
    }

    static async Task<RedisStore> ConnectAsync(RedisServer server, TimeSpan? retention) => await RedisStore.ConnectAsync(
        new RedisOptions { Control = server.Address, Retention = retention }, TimeProvider.System, NullLogger.Instance, Stop);

    /// <summary>A whole turn, with its cache.</summary>
    static async Task LiveAsync(IGrainStore grains, IBlobStore blobs, GrainId grain, int length, bool begin = true)
    {
        if (length == 0)
            await grains.AcquireAsync(grain, "s1", "a", null, Stop);
        if (begin)
            await grains.BeginAsync(grain, Fence, $"t{length}", "h", "request"u8.ToArray(), Stop);
        var step = Step(length, "x") with { IndexKey = $"{(grain == Grain ? "" : grain.Name)}key{length}" };
        if (begin)
            step = step with { Operation = $"t{length}", Hash = "h", Result = "result"u8.ToArray() };
        Assert.Equal(CommitOutcome.Done, (await grains.CommitAsync(grain, Fence, step, Stop)).Outcome);
        await blobs.PutAsync(grain, "b", new byte[10], Stop);
        Assert.Equal(PublishOutcome.Published, await PublishAsync(blobs, grain));
    }

    static ValueTask<PublishOutcome> PublishAsync(IBlobStore blobs, GrainId grain) =>
        blobs.PublishAsync(grain, Fence, new BlobManifest([1], ["b"], 10, 7), Stop);

    static void AssertEnds(RedisServer server, TimeSpan from, TimeSpan to)
    {
        // Caches age by their last use.
        var keys = server.Ask("KEYS", Tag + "?").Split('\n');
        Assert.True(keys.Length >= 7, string.Join(' ', keys));
        // The transcript's keys to the millisecond: nobody may see a part of it.
        var ends = keys.Where(k => k[^1] is not 'm')
            .Select(k => server.Ask("PEXPIRETIME", k)).Distinct();
        Assert.Single(ends);
        Assert.All(keys, k => Assert.InRange(TimeLeft(server, k), from, to));
    }

    static TimeSpan TimeLeft(RedisServer server, string key) =>
        TimeSpan.FromMilliseconds(long.Parse(server.Ask("PTTL", key), CultureInfo.InvariantCulture));

    /// <summary>As if so much time had passed.</summary>
    static void AgeBy(RedisServer server, TimeSpan time) => server.Ask("EVAL",
        "for _, k in ipairs(redis.call('KEYS', '*')) do redis.call('PEXPIREAT', k, redis.call('PEXPIRETIME', k) - ARGV[1]) end",
        "0", ((long)time.TotalMilliseconds).ToString(CultureInfo.InvariantCulture));
}
