using Hearth.Tests.Shared;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>Redis dies or falls silent: nobody is declared dead, nothing acknowledged is lost, nobody has to do anything.</summary>
public sealed class RedisTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    /// <summary>INV-10, 30 and 41: kill -9 of Redis under load, and a new start.</summary>
    [Fact]
    public async Task NoAcknowledgedTurnIsLostWhenRedisIsKilled()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var before = await rig.SilosSeenAsync(Cancellation);
        var talkers = Enumerable.Range(0, 4).Select(i => new Talker(rig, Cluster.Conversation($"outage-{i}"), i % 2)).ToList();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var talking = talkers.Select(t => t.TalkAsync(stop.Token)).ToList();
        await ClusterRig.UntilAsync(() => Task.FromResult(talkers.All(t => t.Acknowledged >= 2)), "turns before the outage", Cancellation);
        rig.Redis.Kill();
        await UntilReadyAsync(rig, ready: false);
        await AssertLiveAsync(rig);
        await rig.Redis.RestartAsync();
        await UntilReadyAsync(rig, ready: true);
        var served = talkers.Select(t => t.Acknowledged).ToList();
        await ClusterRig.UntilAsync(
            () => Task.FromResult(talkers.Zip(served).All(t => t.First.Acknowledged > t.Second)), "turns after the outage", Cancellation);
        await stop.CancelAsync();
        await Task.WhenAll(talking);
        foreach (var talker in talkers)
            await talker.CheckAsync(Cancellation);
        Assert.Equal(before.Select(s => s.Pid), (await rig.SilosSeenAsync(Cancellation)).Select(s => s.Pid));
    }

    /// <summary>INV-30 and 41: a Redis that takes everything and answers nothing.</summary>
    [Fact]
    public async Task NobodyDiesWhileRedisIsSilent()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var before = await rig.SilosSeenAsync(Cancellation);
        var conversation = Cluster.Conversation("silent");
        await rig.Client().ChatAsync(Turns.Brief(conversation, Turns.Opening), Cancellation);
        rig.Redis.Pause();
        try
        {
            await UntilReadyAsync(rig, ready: false);
            var refused = await rig.Client().TryChatAsync(Turns.Brief(conversation, "Please count to three."), Cancellation);
            Assert.True(refused.Status >= 500, $"{refused.Status}: {refused.Body}");
            await AssertLiveAsync(rig);
        }
        finally
        {
            rig.Redis.Resume();
        }
        await UntilReadyAsync(rig, ready: true);
        var reply = await rig.Client(1).ChatAsync(Turns.Brief(conversation, "What is my name?"), Cancellation);
        Assert.Contains("Zed", reply.Text, StringComparison.Ordinal);
        Assert.Equal(before, await rig.SilosSeenAsync(Cancellation));
    }

    static async Task UntilReadyAsync(ClusterRig rig, bool ready)
    {
        for (var i = 0; i < rig.Gateways.Count; i++)
        {
            var client = rig.Client(i);
            await ClusterRig.UntilAsync(
                async () => (await client.SendAsync(HttpMethod.Get, "health/ready", null, Cancellation)).Status == 200 == ready,
                ready ? "readiness" : "the end of readiness", Cancellation);
        }
    }

    static async Task AssertLiveAsync(ClusterRig rig)
    {
        for (var i = 0; i < rig.Gateways.Count; i++)
            Assert.Equal(200, (await rig.Client(i).SendAsync(HttpMethod.Get, "health/live", null, Cancellation)).Status);
    }
}

/// <summary>INV-15: Redis does what it is told, and its answers are lost.</summary>
public sealed class LostAnswerTests
{
    [Fact]
    public Task ACommitWhoseAnswerIsLostHappensOnceAndIsFound() => SharedCluster.OnItsOwnAsync(
        new RigOptions { Silos = 2, Gateways = 1, ProxyRedis = true }, async rig =>
    {
        var cancellation = TestContext.Current.CancellationToken;
        var before = await rig.SilosSeenAsync(cancellation);
        await rig.Client().ChatAsync(Turns.Brief("lost", Turns.Opening), cancellation);
        for (var turn = 1; turn <= 3; turn++)
            await LoseAsync(rig, turn, cancellation);
        var seen = await rig.Client().DescribeAsync("lost", cancellation);
        Assert.Equal(4, seen!["turns"]!.GetValue<int>());
        Assert.Equal(before, await rig.SilosSeenAsync(cancellation));
    });

    /// <summary>The answers stop at some moment of the turn; once they come again, the turn sent again is the one turn.</summary>
    static async Task LoseAsync(ClusterRig rig, int turn, CancellationToken cancellation)
    {
        using var stream = await rig.Client().StreamAsync(Turns.Seeded("lost", 120, turn), cancellation, $"lost-{turn}");
        Assert.True(await stream.ReadAsync(30 * turn, cancellation));
        rig.RedisProxy!.Replies = new FaultPlan { Swallow = true };
        await ClusterRig.UntilAsync(
            async () => (await rig.Client().SendAsync(HttpMethod.Get, "health/ready", null, cancellation)).Status == 503, "the outage", cancellation);
        Assert.False(stream.IsDone);
        rig.RedisProxy.Heal();
        await Record.ExceptionAsync(() => stream.ReadToEndAsync(cancellation));
        await ClusterRig.UntilAsync(async () =>
        {
            // The same turn to the byte, streamed as before.
            using var second = await TryStreamAsync(rig, turn, cancellation);
            if (second is null)
                return false;
            Assert.StartsWith(stream.Text, await second.ReadToEndAsync(cancellation), StringComparison.Ordinal);
            return second.IsDone;
        }, "the turn's reply", cancellation);
    }

    static async Task<LiveReply?> TryStreamAsync(ClusterRig rig, int turn, CancellationToken cancellation)
    {
        try
        {
            return await rig.Client().StreamAsync(Turns.Seeded("lost", 120, turn), cancellation, $"lost-{turn}");
        }
        catch (RefusedException e) when (e.Status == 503)
        {
            return null;
        }
    }
}
