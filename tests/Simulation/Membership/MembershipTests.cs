using Hearth.Actors.Membership;
using Hearth.Tests.Shared;
using Xunit;

namespace Hearth.Simulation.Tests.Membership;

/// <summary>What holds whatever is stopped, cut, slowed down, rolled back or killed, and for how long.</summary>
public sealed class MembershipTests
{
    static readonly TimeSpan _minute = TimeSpan.FromMinutes(1);

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task NobodyMayActWhomTheTableOrAnObserverCallsDead()
    {
        for (var seed = 0; seed < 60; seed++)
        {
            var run = new MembershipRun(seed);
            var faults = new MembershipFaults(run);
            for (var i = 0; i < 3; i++)
                run.AddSilo(run.World.Between(0.95, 1.05).TotalSeconds);
            run.AddObserver(run.World.Between(0.95, 1.05).TotalSeconds);
            faults.Begin(run.World.Between(10, 60));
            await run.RunAsync(_minute);
            faults.End();
            await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(15), "everybody alive is active, and known to all");
        }
    }

    [Fact]
    public async Task OutagesOfTheStoreAndPausesOfObserversKillNobody()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var run = new MembershipRun(seed);
            for (var i = 0; i < 4; i++)
                run.AddSilo();
            run.AddObserver();
            await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(5), "all are active");
            var faults = new MembershipFaults(run) { OfTheStoreAndObserversOnly = true };
            faults.Begin(TimeSpan.FromSeconds(90));
            await run.RunAsync(TimeSpan.FromSeconds(90));
            faults.End();
            await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(5), "all are active again");
            Assert.True(run.Rows.All(r => r.Entry.Status == SiloStatus.Active), run.World.ToString());
        }
    }

    [Fact]
    public async Task AKilledSiloIsDeadWithinTwoBeatsAndALeaseAndNoSooner()
    {
        var (shortest, longest) = (TimeSpan.MaxValue, TimeSpan.Zero);
        for (var seed = 0; seed < 100; seed++)
        {
            var run = new MembershipRun(seed);
            var silo = run.AddSilo();
            var observer = run.AddObserver();
            await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(5), "it is active");
            await run.RunAsync(run.World.Between(2, 3));
            var killed = run.World.Now;
            silo.Process.Kill();
            run.Observers[^1].Process.Do(() => observer.Suspect(silo.Member.Silo));
            await run.RunUntilAsync(() => observer.View.Find(silo.Member.Silo)!.Status == SiloStatus.Dead,
                TimeSpan.FromSeconds(3), "it is dead");
            var took = run.World.Now - killed;
            (shortest, longest) = (took < shortest ? took : shortest, took > longest ? took : longest);
        }
        var options = new MembershipOptions();
        Assert.InRange(shortest, options.Lease - options.Beat, longest);
        Assert.InRange(longest, shortest, options.Lease + TimeSpan.FromMilliseconds(20));
    }

    [Fact]
    public async Task WhoIsDeclaredDeadByHandEndsWithItsNextBeatAndItsRowStaysDead()
    {
        var run = new MembershipRun(1);
        var silo = run.AddSilo();
        var other = run.AddSilo();
        await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(5), "both are active");
        run.IsTableSound = false;
        await run.Server.Memory.Membership.SetStatusAsync(silo.Member.Silo, SiloStatus.Dead, Stop);
        await run.RunUntilAsync(() => silo.Process.IsDead, run.Options.Beat * 2, "it has ended");
        await run.RunAsync(TimeSpan.FromSeconds(5));
        Assert.Equal([silo.Member.Silo], run.Of(SiloStatus.Dead).Select(r => r.Entry.Id));
        Assert.Equal([other.Member.Silo], run.Of(SiloStatus.Active).Select(r => r.Entry.Id));
    }

    [Fact]
    public async Task ADeadSiloWhoseRowWasPrunedEndsToo()
    {
        var run = new MembershipRun(1);
        var silo = run.AddSilo();
        await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(5), "it is active");
        silo.Process.Pause();
        run.IsTableSound = false;
        await run.Server.Memory.Membership.SetStatusAsync(silo.Member.Silo, SiloStatus.Dead, Stop);
        await run.Server.Memory.Membership.PruneAsync(0, Stop);
        silo.Process.Continue();
        await run.RunUntilAsync(() => silo.Process.IsDead, run.Options.Lease, "it has ended");
        Assert.Empty(run.Rows);
    }

    [Fact]
    public async Task ASiloThatCannotReachTheStoreFallsSilentAndIsSucceededAndTheOthersNotice()
    {
        var run = new MembershipRun(1);
        var (cut, other) = (run.AddSilo(), run.AddSilo());
        await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(5), "both are active");
        run.Server.Cut.Add(cut.Process);
        var id = cut.Member.Silo;
        await run.RunUntilAsync(() => other.Watcher.View.Find(id)!.Status == SiloStatus.Dead, TimeSpan.FromSeconds(3), "it is dead");
        Assert.False(cut.Member.Lease.IsHeld);
        Assert.False(cut.Member.Died.IsCompleted);
        run.Server.Cut.Clear();
        await run.RunUntilAsync(() => cut.Process.IsDead, TimeSpan.FromSeconds(2), "it learns of its death");
        Assert.True(other.Member.Lease.IsHeld);
    }

    [Fact]
    public async Task AStoreThatComesBackEmptyIsJoinedAgainUnderNewGenerations()
    {
        var run = new MembershipRun(1);
        var (a, b) = (run.AddSilo(), run.AddSilo());
        await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(5), "both are active");
        string[] before = [a.Member.Silo, b.Member.Silo];
        run.Restart(MemoryImage.Empty);
        var asked = Task.CompletedTask;
        run.Observers[1].Process.Do(() => asked = run.AskAsync(b.Process, b.Watcher, before[0]));
        await run.RunUntilAsync(() => IsSettled(run) && a.Member.Silo != before[0], TimeSpan.FromSeconds(5), "both are active again");
        Assert.All(new[] { a, b }, silo =>
        {
            Assert.Equal(1, silo.Checks);
            Assert.StartsWith(silo.Name + "/", silo.Member.Silo);
            Assert.DoesNotContain(silo.Member.Silo, before);
        });
        Assert.True(asked.IsCompleted);
    }

    [Fact]
    public async Task ARolledBackStoreIsToldAgainThatASiloIsActive()
    {
        var run = new MembershipRun(1);
        var silo = run.AddSilo();
        MemoryImage? joining = null;
        await run.RunUntilAsync(() => (joining ??= run.Of(SiloStatus.Joining).Any() ? run.Server.Memory.Image : null) is not null
            && IsSettled(run), TimeSpan.FromSeconds(5), "it is active");
        var id = silo.Member.Silo;
        run.Restart(joining!);
        Assert.Equal(SiloStatus.Joining, run.Rows.Single().Entry.Status);
        await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(3), "it is active again");
        Assert.Equal(id, silo.Member.Silo);
        Assert.Equal(1, silo.Checks);
    }

    [Fact]
    public async Task WallClocksMayJump()
    {
        var run = new MembershipRun(1);
        var silos = new[] { run.AddSilo(), run.AddSilo(), run.AddSilo() };
        await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(5), "all are active");
        var version = run.Server.Memory.Image.MembersVersion;
        foreach (var hours in new[] { 1, -1, 24 * 365, 0 })
        {
            silos[0].Process.Time.WallOffset = TimeSpan.FromHours(hours);
            await run.RunAsync(TimeSpan.FromSeconds(5));
            Assert.All(silos, s => Assert.True(s.Member.Lease.IsHeld));
        }
        Assert.Equal(version, run.Server.Memory.Image.MembersVersion);
    }

    [Fact]
    public async Task SilosThatAreKilledWhileTheyStartLeaveNoRowBehind()
    {
        for (var seed = 0; seed < 60; seed++)
        {
            var run = new MembershipRun(seed);
            run.AddObserver();
            for (var i = 0; i < 5; i++)
            {
                var killed = run.AddSilo();
                run.World.At(run.World.Between(0, 0.02), killed.Process.Kill);
                await run.RunAsync(run.World.Between(0, 1));
            }
            var lives = run.AddSilo();
            await run.RunUntilAsync(() => IsSettled(run), TimeSpan.FromSeconds(8), "only the last one lives");
            Assert.Equal([lives.Member.Silo], run.Of(SiloStatus.Active).Select(r => r.Entry.Id));
            Assert.Empty(run.Of(SiloStatus.Joining));
        }
    }

    [Fact]
    public async Task DeadRowsArePrunedAndTheNewestStay()
    {
        var run = new MembershipRun(1);
        var observer = run.AddObserver();
        for (var i = 0; i < Hearth.Actors.Limits.DeadSilosMax + 10; i++)
        {
            var id = $"x/{i}";
            await run.Server.Memory.Membership.JoinAsync(new SiloEntry(id, "x:1", SiloStatus.Joining, ""), Stop);
            await run.Server.Memory.Membership.SetStatusAsync(id, SiloStatus.Dead, Stop);
        }
        await run.RunAsync(TimeSpan.FromSeconds(2));
        Assert.Equal(Hearth.Actors.Limits.DeadSilosKept, run.Rows.Count());
        Assert.Contains(run.Rows, r => r.Entry.Id == $"x/{Hearth.Actors.Limits.DeadSilosMax + 9}");
        Assert.Equal(Hearth.Actors.Limits.DeadSilosKept, observer.View.Silos.Count);
    }

    /// <summary>Everybody who lives is active and may act; nobody else stands as alive; all observers know.</summary>
    static bool IsSettled(MembershipRun run)
    {
        var living = run.Silos.Where(s => !s.Process.IsDead).ToList();
        return living.All(s => s.HasJoined && s.Member.Lease.IsHeld)
            && run.Rows.Where(r => r.Entry.Status != SiloStatus.Dead).Select(r => (r.Entry.Id, r.Entry.Status)).Order()
                .SequenceEqual(living.Select(s => (s.Member.Silo, SiloStatus.Active)).Order())
            && run.Observers.Where(o => !o.Process.IsDead).All(o => o.Watcher.View.Version == run.Server.Memory.Image.MembersVersion
                && o.Watcher.View.Incarnation == run.Server.Memory.Incarnation && o.Watcher.IsCurrent);
    }
}
