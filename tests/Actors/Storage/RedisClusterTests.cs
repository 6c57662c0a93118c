using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Tests.Shared;
using Xunit;
using static Hearth.Actors.Tests.Storage.RedisCalls;

namespace Hearth.Actors.Tests.Storage;

/// <summary>The stores on a Redis Cluster of three masters.</summary>
public sealed class RedisClusterTests
{
    static readonly Fence Fence = new(1, "a");

    /// <summary>Redis refuses a script that touches a second slot.</summary>
    [Fact]
    public async Task OnARedisClusterEveryScriptTouchesOneSlot()
    {
        var servers = RedisServer.StartCluster(3);
        try
        {
            await using var store = await ConnectAsync($"{servers[0].Address},{servers[1].Address}");
            await store.Membership.JoinAsync(new SiloEntry("s1/1", "a:1", SiloStatus.Joining, "{}"), Stop);
            Assert.Equal(BeatOutcome.Alive, (await store.Membership.BeatAsync("s1/1", default, Stop)).Outcome);
            for (var i = 0; i < 30; i++)
                await LiveAsync(store.Grains, new GrainId($"tenant{i % 3}", $"conversation{i}"));
            Assert.Equal(3, (await store.Grains.ListAsync("tenant1", 100, Stop)).Count);
        }
        finally
        {
            foreach (var server in servers)
                server.Dispose();
        }

        static async Task LiveAsync(IGrainStore grains, GrainId grain)
        {
            await grains.AcquireAsync(grain, "s1", "a", null, Stop);
            await grains.BeginAsync(grain, Fence, "t1", "h", default, Stop);
            var step = Step(0, "x") with { Operation = "t1", Hash = "h", IndexKey = grain.Name };
            Assert.Equal(CommitOutcome.Done, (await grains.CommitAsync(grain, Fence, step, Stop)).Outcome);
            Assert.Equal(grain, await grains.FindAsync(grain.Scope, grain.Name, Stop));
            Assert.Equal(2, (await grains.HandOverAsync(grain, Fence, "s2", "b", null, Stop)).Epoch);
            Assert.Equal("x"u8.ToArray(), (await grains.ReadAsync(grain, Stop))!.Log.Single());
            Assert.Equal(WriteOutcome.Done, await grains.ReleaseAsync(grain, new Fence(2, "b"), Stop));
            if (grain.Name.Length % 2 == 0)
                Assert.True(await grains.DeleteAsync(grain, Stop));
        }
    }

    /// <summary>One server of a cluster that hangs takes its own conversations with it, and no others.</summary>
    [Fact]
    public async Task OnARedisClusterAServerThatHangsHoldsUpOnlyItsOwn()
    {
        var servers = RedisServer.StartCluster(3);
        try
        {
            await using var store = await ConnectAsync(servers[0].Address);
            var grains = Enumerable.Range(0, 12).Select(i => new GrainId("tenant", $"c{i}")).ToList();
            foreach (var grain in grains)
                await store.Grains.AcquireAsync(grain, "s1", "a", null, Stop);
            var held = grains.Where(g => servers[2].Ask("EXISTS", $"hearth:{{tenant/{g.Name}}}:d") == "1").ToList();
            Assert.InRange(held.Count, 1, grains.Count - 1);
            servers[2].Pause();
            for (var round = 0; round < 3; round++)
            {
                foreach (var grain in grains)
                {
                    var call = store.Grains.LocateAsync(grain, Stop).AsTask();
                    if (held.Contains(grain))
                        await Assert.ThrowsAsync<StoreException>(() => call);
                    else
                        Assert.NotNull(await call);
                }
            }
            servers[2].Resume();
            foreach (var grain in held)
                Assert.NotNull(await EventuallyAsync(() => store.Grains.LocateAsync(grain, Stop).AsTask()));
        }
        finally
        {
            foreach (var server in servers)
                server.Dispose();
        }
    }
}
