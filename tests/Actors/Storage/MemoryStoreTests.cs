using System.Text;
using System.Text.Json;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Embedded;
using Hearth.Actors.Storage.Redis;
using Hearth.Tests.Shared;
using Xunit;

namespace Hearth.Actors.Tests.Storage;

public sealed class MemoryGrainStoreTests : GrainStoreProperties
{
    protected override IGrainStore Store { get; } = new MemoryStore(TimeProvider.System).Grains;
}

public sealed class MemoryMembershipStoreTests : MembershipStoreProperties
{
    protected override IMembershipStore Store { get; } = new MemoryStore(TimeProvider.System).Membership;
}

/// <summary>The simulator's store is only worth what it has in common with Redis: random sequences of calls must get the same answers
/// from both.</summary>
public sealed class MemoryStoreAgainstRedisTests(SharedRedis redis) : IClassFixture<SharedRedis>, IAsyncLifetime
{
    const int Steps = 1500;

    static readonly string[] _activations = ["a", "b", "c"];
    static readonly string[] _silos = ["s1/1", "s2/1", "s3/1"];
    static readonly string[] _operations = ["t1", "t2", "t3", "t4"];

    RedisStore? _real;

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _real = await redis.ConnectAsync();

    public async ValueTask DisposeAsync() => await _real!.DisposeAsync();

    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public async Task BothStoresAnswerTheSame(int seed)
    {
        var (random, model) = (new Random(seed), new MemoryStore(TimeProvider.System));
        for (var step = 0; step < Steps; step++)
        {
            var (what, call) = Draw(random, model.Grains);
            var (expected, actual) = (await TextOf(call, model.Grains, model.Membership), await TextOf(call, _real!.Grains, _real.Membership));
            Assert.True(expected == actual, $"seed {seed}, step {step}, {what}:\nmodel {expected}\nredis {actual}");
        }
    }

    [Theory, InlineData(5), InlineData(6)]
    public async Task SoDoesTheEmbeddedOne(int seed)
    {
        using var directory = new TemporaryDirectory();
        var time = new VirtualTime();
        using var embedded = EmbeddedStore.Open(directory.Path, 1 << 20, time);
        var (random, model, members) = (new Random(seed), new MemoryStore(time), new MemoryStore(time));
        for (var step = 0; step < Steps / 3; step++)
        {
            time.Advance(TimeSpan.FromMilliseconds(1));
            var (what, call) = Draw(random, model.Grains);
            // Of two grains that took the same key, a cluster's index is a hint, and the embedded one exact.
            if (what == "find")
                continue;
            var (expected, actual) = (await TextOf(call, model.Grains, model.Membership), await TextOf(call, embedded.Grains, members.Membership));
            Assert.True(expected == actual, $"seed {seed}, step {step}, {what}:\nmodel {expected}\nembedded {actual}");
        }
    }

    delegate Task<object?> StoreCall(IGrainStore grains, IMembershipStore members);

    static async Task<string> TextOf(StoreCall call, IGrainStore grains, IMembershipStore members) =>
        JsonSerializer.Serialize(await call(grains, members));

    /// <summary>Mostly with a fence that is the owner's, so that much is written, and sometimes with any other.</summary>
    static (string What, StoreCall Call) Draw(Random random, MemoryGrainStore model)
    {
        // A deleted grain stays deleted: so there are many, and each is deleted seldom.
        var grain = new GrainId("tenant", $"c{random.Next(6)}");
        var owner = model.LocateAsync(grain, default).AsTask().Result?.Owner;
        var fence = owner is not null && random.Next(5) > 0
            ? new Fence(owner.Epoch, owner.Activation)
            : new Fence(random.Next(1, 5), Any(random, _activations));
        var length = model.ReadAsync(grain, default).AsTask().Result?.Log.Count ?? 0;
        // Drawn here: the calls themselves run twice.
        var (limit, key) = (random.Next(1, 9), $"k{random.Next(4)}");
        return random.Next(24) switch
        {
            0 or 1 or 2 => Acquire(grain, Any(random, _silos), Any(random, _activations),
                random.Next(2) == 0 ? owner?.Activation : random.Next(2) == 0 ? null : Any(random, _activations)),
            3 => ("release", async (g, _) => await g.ReleaseAsync(grain, fence, Stop)),
            4 => HandOver(grain, fence, Any(random, _silos), Any(random, _activations), random.Next(3) == 0 ? null : Any(random, _operations)),
            5 or 6 or 7 => Begin(grain, fence, Any(random, _operations), random.Next(8) == 0 ? "other" : "hash", random.Next()),
            8 or 9 or 10 or 11 or 12 => Commit(random, grain, fence, length),
            13 => End(grain, fence, Any(random, _operations), random.Next(2) == 0 ? OperationStatus.Failed : OperationStatus.Cancelled),
            14 => ("describe", async (g, _) => await g.DescribeAsync(grain, Stop)),
            15 => ("list", async (g, _) => await g.ListAsync("tenant", limit, Stop)),
            16 => ("find", async (g, _) => await g.FindAsync("tenant", key, Stop)),
            17 => Operation(grain, Any(random, _operations)),
            18 or 19 => ("read", async (g, _) => await g.ReadAsync(grain, Stop)),
            20 when random.Next(20) == 0 => ("delete", async (g, _) => await g.DeleteAsync(grain, Stop)),
            _ => Member(random),
        };
    }

    static (string, StoreCall) Acquire(GrainId grain, string silo, string activation, string? previous) =>
        ($"acquire {grain} {silo} {activation} {previous}",
            async (g, _) => await g.AcquireAsync(grain, silo, activation, previous, Stop));

    static (string, StoreCall) HandOver(GrainId grain, Fence fence, string silo, string activation, string? pending) =>
        ($"hand over {grain} {fence} {silo} {activation} {pending}",
            async (g, _) => await g.HandOverAsync(grain, fence, silo, activation, pending, Stop));

    static (string, StoreCall) Begin(GrainId grain, Fence fence, string operation, string hash, int request) =>
        ($"begin {grain} {fence} {operation} {hash}",
            async (g, _) => await g.BeginAsync(grain, fence, operation, hash, BitConverter.GetBytes(request), Stop));

    static (string, StoreCall) End(GrainId grain, Fence fence, string operation, OperationStatus status) =>
        ($"end {grain} {fence} {operation} {status}", async (g, _) => await g.EndAsync(grain, fence, operation, status, Stop));

    static (string, StoreCall) Operation(GrainId grain, string operation) =>
        ($"operation {grain} {operation}", async (g, _) => await g.FindOperationAsync(grain, operation, Stop));

    static (string, StoreCall) Commit(Random random, GrainId grain, Fence fence, int length)
    {
        var commit = new GrainCommit
        {
            Operation = random.Next(3) == 0 ? null : Any(random, _operations),
            Hash = random.Next(8) == 0 ? "other" : "hash",
            Result = Encoding.UTF8.GetBytes($"result {random.Next()}"),
            ExpectedLength = random.Next(8) == 0 ? random.Next(5) : length,
            Keep = random.Next(3) == 0 ? random.Next(length + 2) : length,
            Append = [.. Enumerable.Range(0, random.Next(3)).Select(_ => (ReadOnlyMemory<byte>)BitConverter.GetBytes(random.Next()))],
            JournalKeep = random.Next(4) == 0 ? random.Next(6) : 0,
            JournalAppend = new byte[random.Next(6)],
            State = BitConverter.GetBytes(random.Next()),
            IndexKey = random.Next(4) == 0 ? null : $"k{random.Next(4)}",
        };
        return ($"commit {grain} {fence} {JsonSerializer.Serialize(commit)}", async (g, _) => await g.CommitAsync(grain, fence, commit, Stop));
    }

    static (string, StoreCall) Member(Random random)
    {
        var (silo, status, beat) = ($"s{random.Next(6)}/{random.Next(30)}", (SiloStatus)random.Next(1, 4), random.Next(3));
        return random.Next(12) switch
        {
            0 or 1 or 2 => ($"join {silo}",
                async (_, m) => await m.JoinAsync(new SiloEntry(silo, "h:1", SiloStatus.Joining, "{\"a b\": 1}"), Stop)),
            3 or 4 or 5 or 6 => ($"beat {silo}", async (_, m) =>
                await m.BeatAsync(silo, BitConverter.GetBytes(beat), Stop) is var (outcome, _, version) ? (outcome, version).ToString() : null),
            7 => ($"{silo} becomes {status}", async (_, m) => await m.SetStatusAsync(silo, status, Stop)),
            8 => ($"{silo} is dead after {beat}", async (_, m) => await m.DeclareDeadAsync(silo, beat, Stop)),
            9 when random.Next(6) == 0 => ("prune", PruneAsync),
            _ => ("members", MembersAsync),
        };
    }

    static async Task<object?> PruneAsync(IGrainStore grains, IMembershipStore members)
    {
        await members.PruneAsync(3, Stop);
        return null;
    }

    /// <summary>Without the incarnation, which is each store's own.</summary>
    static async Task<object?> MembersAsync(IGrainStore grains, IMembershipStore members)
    {
        var seen = await members.ReadAsync(Stop);
        return new { seen.View.Version, seen.View.Silos, Beats = seen.Beats.OrderBy(b => b.Key, StringComparer.Ordinal) };
    }

    static string Any(Random random, string[] choices) => choices[random.Next(choices.Length)];
}
