using System.Diagnostics;
using Hearth.Cluster.Tests.Faults;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>How silos come and go.</summary>
public sealed class LifeTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>INV-36: under load, with a reply that is running.</summary>
    [Fact]
    public async Task ASiloToldToStopHandsEverythingOnAndEndsWithZero()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        var expected = await Cluster.BaselineAsync(2000);
        var talkers = Enumerable.Range(0, 6).Select(i => new Talker(rig, Cluster.Conversation($"drained-{i}"), 0)).ToList();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var talking = talkers.Select(t => t.TalkAsync(stop.Token)).ToList();
        await ClusterRig.UntilAsync(() => Task.FromResult(talkers.All(t => t.Acknowledged >= 2)), "first turns", Cancellation);
        using var stream = await rig.Client().StreamAsync(Turns.Seeded(Cluster.Conversation("running"), 2000), Cancellation);
        Assert.True(await stream.ReadAsync(10, Cancellation));
        var leaving = rig.SiloOf(stream.Silo);
        leaving.Terminate();
        await stream.ReadToEndAsync(Cancellation);
        Assert.True(stream.IsDone, stream.Error);
        Assert.Equal(expected, stream.Text);
        Assert.Equal(0, await leaving.EndAsync(Patience, Cancellation));
        await stop.CancelAsync();
        await Task.WhenAll(talking);
        foreach (var talker in talkers)
        {
            Assert.Empty(talker.Failures);
            await talker.CheckAsync(Cancellation);
        }
        await rig.UntilSilosAsync(silos => silos.All(s => s.Name != leaving.Name), Cancellation);
    }

    [Fact]
    public async Task ASiloIsDrainedByTheAdminApi()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        var conversation = Cluster.Conversation("admin");
        var first = await rig.Client().ChatAsync(Turns.Brief(conversation, Turns.Opening), Cancellation);
        var leaving = rig.SiloOf(first.Silo);
        var (status, body) = await rig.Client().SendAsync(HttpMethod.Post, $"admin/silos/{leaving.Name}/drain", [], Cancellation);
        Assert.True(status is 200 or 202, body);
        Assert.Equal(0, await leaving.EndAsync(Patience, Cancellation));
        var second = await rig.Client().ChatAsync(Turns.Brief(conversation, "What is my name?"), Cancellation);
        Assert.Equal("hit", second.Cache);
    }

    /// <summary>INV-04: who is declared dead ends, and comes back as another.</summary>
    [Fact]
    public async Task ADeadSiloNeverComesBackAsTheSame()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        var silo = rig.Silos[0];
        var id = (await rig.SilosSeenAsync(Cancellation)).Single(s => s.Pid == silo.Pid).Id;
        silo.Pause();
        await rig.UntilSilosAsync(silos => silos.All(s => s.Id != id), Cancellation);
        silo.Resume();
        Assert.Equal(75, await silo.EndAsync(Patience, Cancellation));
        await rig.AddSiloAsync(Cancellation, silo.Name);
        await rig.UntilSilosAsync(silos => silos.Any(s => s.Name == silo.Name && s.Status == "active"), Cancellation);
        Assert.All(await rig.SilosSeenAsync(Cancellation), s => Assert.NotEqual(id, s.Id));
    }

    /// <summary>INV-39: one hour forward, one hour back, on one silo's wall clock.</summary>
    [Fact]
    public async Task AWallClockThatJumpsChangesNothing()
    {
        Assert.SkipUnless(FakeTime.IsInstalled, "faketime is not installed");
        var rig = await Cluster.WithAsync(silos: 1, gateways: 1);
        using var clock = new FakeTime();
        var silo = await rig.ReadyAsync(rig.LaunchSilo(environment: clock.Environment), Cancellation);
        await rig.UntilSilosAsync(silos => silos.Count(s => s.Status == "active") == rig.Silos.Count, Cancellation);
        var before = await rig.SilosSeenAsync(Cancellation);
        var talkers = Enumerable.Range(0, 4).Select(i => new Talker(rig, Cluster.Conversation($"clock-{i}"), 0)).ToList();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var talking = talkers.Select(t => t.TalkAsync(stop.Token)).ToList();
        foreach (var shift in new[] { 3600, -3600, 0 })
        {
            clock.Shift(TimeSpan.FromSeconds(shift));
            var turns = talkers.Select(t => t.Acknowledged).ToList();
            await ClusterRig.UntilAsync(
                () => Task.FromResult(talkers.Zip(turns).All(t => t.First.Acknowledged >= t.Second + 3)), "turns after the jump", Cancellation);
        }
        await stop.CancelAsync();
        await Task.WhenAll(talking);
        Assert.All(talkers, t => Assert.Empty(t.Failures));
        Assert.Equal(before, await rig.SilosSeenAsync(Cancellation));
        silo.Terminate();
        Assert.Equal(0, await silo.EndAsync(Patience, Cancellation));
    }

    /// <summary>INV-40: kill -9 at whatever a start is at, then a start that is left alone.</summary>
    [Fact]
    public async Task AStartThatIsKilledAnywhereLeavesNothingInTheWay()
    {
        const int starts = 6;
        var rig = await Cluster.WithAsync(silos: 1, gateways: 1);
        var clock = Stopwatch.StartNew();
        var whole = await rig.AddSiloAsync(Cancellation, "starting");
        var took = clock.Elapsed;
        whole.Kill();
        for (var i = 1; i <= starts; i++)
        {
            var broken = rig.LaunchSilo("starting");
            // The moments of a start, spread over it: what is tested is that none of them matters.
            await Task.Delay(took * i / (starts + 1), TimeProvider.System, Cancellation);
            broken.Kill();
        }
        var last = await rig.AddSiloAsync(Cancellation, "starting");
        await rig.UntilSilosAsync(silos => silos.Count == rig.Silos.Count && silos.All(s => s.Status == "active"), Cancellation);
        var seen = (await rig.SilosSeenAsync(Cancellation)).Single(s => s.Name == "starting");
        Assert.Equal(last.Pid, seen.Pid);
    }
}
