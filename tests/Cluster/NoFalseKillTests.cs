using Hearth.Cluster.Tests.Faults;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>INV-06: nobody who beats is declared dead, whatever ails those around.</summary>
public sealed class NoFalseKillTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    /// <summary>Of the default lease of 1.5 s, several.</summary>
    static readonly TimeSpan s_leases = TimeSpan.FromSeconds(LongForm.Runs ? 60 : 6);

    [Fact]
    public async Task SilosOfWhichOneDoesNotHearTheOtherStayAndSoDoTheirConversations()
    {
        if (NetworkSpaces.Missing() is { } missing)
            Assert.Skip(missing);
        await using var spaces = await NetworkSpaces.CreateAsync(2);
        await SharedCluster.OnItsOwnAsync(new RigOptions { Silos = 0, Gateways = 0, RedisHost = spaces.HostAddress }, async rig =>
        {
            var nodes = Enumerable.Range(0, 2).Select(i => rig.LaunchSilo(
                $"side-{i}", ["--listen", $"{spaces.AddressOf(i)}:7070"], enter: spaces.Enter(i))).Append(rig.LaunchGateway()).ToList();
            foreach (var node in nodes)
                await rig.ReadyAsync(node, Cancellation);
            await rig.UntilSilosAsync(silos => silos.Count(s => s.Status == "active") == 2, Cancellation);
            var talkers = await TalkersAsync(rig, "one-way");
            var before = await rig.SilosSeenAsync(Cancellation);
            await spaces.DeafenAsync(1, spaces.AddressOf(0));
            await TalkOnAsync(talkers, async () =>
            {
                // What they want of each other, such as this, does not come about.
                foreach (var talker in talkers.Take(2))
                {
                    await rig.Client().SendAsync(HttpMethod.Post, $"admin/conversations/{talker.Conversation}/migrate",
                        [], Cancellation);
                }
            });
            Assert.True(await spaces.DroppedAsync(1) > 0, $"nothing came from {rig.Silos[0].Name} to be dropped");
            Assert.Equal(before, await rig.SilosSeenAsync(Cancellation));
            await spaces.HealAsync(1);
            foreach (var talker in talkers)
                await talker.CheckAsync(Cancellation);
        });
    }

    [Fact]
    public async Task BlobsThatPourIntoRedisCostNobodyTheLease()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        var talkers = await TalkersAsync(rig, "beside-blobs");
        var before = await rig.SilosSeenAsync(Cancellation);
        var blob = new string('b', 8 << 20);
        var keys = Enumerable.Range(0, 64).Select(i => $"blob-{i}").ToList();
        try
        {
            await TalkOnAsync(talkers, () => Task.WhenAll(keys.Chunk(16).Select(some => Task.Factory.StartNew(() =>
            {
                foreach (var key in some)
                    Assert.Equal("OK", rig.Redis.Ask("SET", key, blob).Trim('+', '\r', '\n'));
            }, Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default))));
            Assert.Equal(before, await rig.SilosSeenAsync(Cancellation));
            Assert.DoesNotContain("lease", string.Concat(rig.Silos.Select(s => s.Output)), StringComparison.OrdinalIgnoreCase);
        }
        finally
        {
            rig.Redis.Ask(["UNLINK", .. keys]);
        }
        foreach (var talker in talkers)
            await talker.CheckAsync(Cancellation);
    }

    async Task<List<Talker>> TalkersAsync(ClusterRig rig, string hint)
    {
        var talkers = Enumerable.Range(0, 6).Select(i => new Talker(rig, Cluster.Conversation(hint), 0)).ToList();
        var owners = new HashSet<string>();
        foreach (var talker in talkers)
        {
            await talker.TurnAsync(Cancellation);
            owners.Add(talker.Replies[0].Silo);
        }
        Assert.Equal(2, owners.Count);
        return talkers;
    }

    /// <summary>All talk while it happens, and for some leases more; each gets turns the whole time.</summary>
    static async Task TalkOnAsync(List<Talker> talkers, Func<Task> meanwhile)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var talking = talkers.Select(t => t.TalkAsync(stop.Token)).ToList();
        await Task.WhenAll(meanwhile(), Task.Delay(s_leases, TimeProvider.System, Cancellation));
        var turns = talkers.Select(t => t.Acknowledged).ToList();
        await ClusterRig.UntilAsync(
            () => Task.FromResult(talkers.Zip(turns).All(t => t.First.Acknowledged > t.Second)), "a turn of each", Cancellation);
        await stop.CancelAsync();
        await Task.WhenAll(talking);
        Assert.All(talkers, t => Assert.Empty(t.Failures));
    }
}
