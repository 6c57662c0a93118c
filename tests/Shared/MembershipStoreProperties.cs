using Hearth.Actors.Membership;
using Xunit;

namespace Hearth.Tests.Shared;

/// <summary>What every table of silos must do. A store's own test class gives the store.</summary>
public abstract class MembershipStoreProperties
{
    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected abstract IMembershipStore Store { get; }

    [Fact]
    public async Task ASiloJoinsOnceBeatsAndIsSeenAsItIs()
    {
        var silo = Silo("s1/1") with { Description = "{\"models\": [\"a b\"],\n \"é\": 1}" };
        Assert.Equal(0, (await Store.ReadAsync(Stop)).View.Version);
        Assert.True(await Store.JoinAsync(silo, Stop));
        Assert.False(await Store.JoinAsync(silo with { Address = "elsewhere:1" }, Stop));
        var first = await Store.BeatAsync("s1/1", "{1}"u8.ToArray(), Stop);
        var second = await Store.BeatAsync("s1/1", "{2}"u8.ToArray(), Stop);
        var seen = await Store.ReadAsync(Stop);
        Assert.Equal(new BeatResult(BeatOutcome.Alive, seen.View.Incarnation, 1), second);
        Assert.Equal(first, second);
        Assert.NotEqual("", seen.View.Incarnation);
        Assert.Equal([silo], seen.View.Silos);
        Assert.Equal(1, seen.View.Version);
        Assert.Equal((2L, "{2}"), (seen.Beats["s1/1"].Count, System.Text.Encoding.UTF8.GetString(seen.Beats["s1/1"].Load)));
    }

    [Fact]
    public async Task ASiloMovesOnAndNeverBack()
    {
        await Store.JoinAsync(Silo("s1/1"), Stop);
        Assert.False(await Store.SetStatusAsync("nobody/1", SiloStatus.Active, Stop));
        Assert.True(await Store.SetStatusAsync("s1/1", SiloStatus.Active, Stop));
        Assert.False(await Store.SetStatusAsync("s1/1", SiloStatus.Active, Stop));
        Assert.True(await Store.SetStatusAsync("s1/1", SiloStatus.Draining, Stop));
        Assert.False(await Store.SetStatusAsync("s1/1", SiloStatus.Active, Stop));
        Assert.True(await Store.SetStatusAsync("s1/1", SiloStatus.Dead, Stop));
        Assert.False(await Store.SetStatusAsync("s1/1", SiloStatus.Active, Stop));
        var view = (await Store.ReadAsync(Stop)).View;
        Assert.Equal((SiloStatus.Dead, 4L), (view.Silos.Single().Status, view.Version));
    }

    [Fact]
    public async Task WhoHasBeatenSinceIsNotDeadAndTheDeadNeverBeatAgain()
    {
        await Store.JoinAsync(Silo("s1/1"), Stop);
        Assert.Equal(BeatOutcome.Unknown, (await Store.BeatAsync("s2/1", default, Stop)).Outcome);
        Assert.Equal(BeatOutcome.Alive, (await Store.BeatAsync("s1/1", default, Stop)).Outcome);
        var seen = (await Store.ReadAsync(Stop)).Beats["s1/1"].Count;
        await Store.BeatAsync("s1/1", default, Stop);
        Assert.False(await Store.DeclareDeadAsync("s1/1", seen, Stop));
        Assert.False(await Store.DeclareDeadAsync("s2/1", 0, Stop));
        Assert.True(await Store.DeclareDeadAsync("s1/1", seen + 1, Stop));
        Assert.False(await Store.DeclareDeadAsync("s1/1", seen + 1, Stop));
        Assert.Equal(BeatOutcome.Dead, (await Store.BeatAsync("s1/1", default, Stop)).Outcome);
        Assert.Equal(seen + 1, (await Store.ReadAsync(Stop)).Beats["s1/1"].Count);
        Assert.False(await Store.JoinAsync(Silo("s1/1"), Stop));
    }

    [Fact]
    public async Task OnlyTheOldestOfTheDeadArePruned()
    {
        foreach (var id in new[] { "s1/1", "s2/1", "s3/1", "s4/1" })
            await Store.JoinAsync(Silo(id), Stop);
        foreach (var id in new[] { "s3/1", "s1/1", "s4/1" })
            await Store.SetStatusAsync(id, SiloStatus.Dead, Stop);
        await Store.PruneAsync(1, Stop);
        var seen = await Store.ReadAsync(Stop);
        Assert.Equal(["s2/1", "s4/1"], seen.View.Silos.Select(s => s.Id));
        Assert.Equal(["s2/1", "s4/1"], seen.Beats.Keys.Order());
        Assert.Equal(9, seen.View.Version);
        Assert.Equal(BeatOutcome.Unknown, (await Store.BeatAsync("s1/1", default, Stop)).Outcome);
    }

    protected static SiloEntry Silo(string id) => new(id, "10.0.0.1:7000", SiloStatus.Joining, "{}");
}

/// <summary>What a table that many threads and processes change must do besides.</summary>
public abstract class SharedMembershipStoreProperties : MembershipStoreProperties
{
    /// <summary>Whoever reads sees versions that only grow; each change makes it one higher, none is lost.</summary>
    [Fact]
    public async Task ChangesByManyAtOnceAreCountedOneByOne()
    {
        const int silos = 16;
        var changes = 0;
        var watching = true;
        var watch = WatchAsync();
        await Task.WhenAll(Enumerable.Range(0, silos).Select(async i =>
        {
            await Task.Yield();
            foreach (var status in new[] { SiloStatus.Joining, SiloStatus.Active, SiloStatus.Draining, SiloStatus.Dead })
            {
                // Each silo's change is tried by two: one of them makes it.
                var made = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => status == SiloStatus.Joining
                    ? Store.JoinAsync(Silo($"s{i}/1"), Stop).AsTask()
                    : Store.SetStatusAsync($"s{i}/1", status, Stop).AsTask()));
                Assert.Single(made, m => m);
                Interlocked.Increment(ref changes);
            }
        }));
        watching = false;
        await watch;
        Assert.Equal(changes, (await Store.ReadAsync(Stop)).View.Version);

        async Task WatchAsync()
        {
            for (var last = 0L; watching;)
            {
                await Task.Yield();
                var view = (await Store.ReadAsync(Stop)).View;
                Assert.True(view.Version >= last);
                Assert.Equal(view.Version, view.Silos.Sum(s => 1 + (int)s.Status));
                last = view.Version;
            }
        }
    }
}
