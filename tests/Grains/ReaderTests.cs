using System.Text.Json;
using Hearth.Actors.Membership;
using Hearth.Actors.Tests;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Hearth.Tests.Shared;
using Xunit;
using static Hearth.Grains.Tests.Silo;
using static Hearth.Grains.Tests.TakeoverTests;

namespace Hearth.Grains.Tests;

/// <summary>Who reads a turn, who leaves it, and who only loses the connection.</summary>
public sealed class ReaderTests
{
    [Fact]
    public async Task WhoAbortsTheCallCancelsTheTurn()
    {
        await using var silos = new Silos(1);
        Talk(silos);
        silos[0].Engine.BeforeToken = (r, i) => i < 3 ? Task.CompletedTask : UntilCancelledAsync(r);
        var call = await OpenAsync(silos);
        (await call.ReceiveAsync(Stop))!.Value.Dispose();
        await call.DisposeAsync();
        while (silos[0].Engine.Cancelled == 0)
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Stop);
        silos[0].Engine.BeforeToken = (_, _) => Task.CompletedTask;
        Assert.IsType<TurnFinished>((await silos.FollowAsync(TurnOf(0, "c1", "t2"), silos[0]))[^1]);
    }

    [Fact]
    public async Task ALostConnectionLeavesTheTurnRunningForAWhileAndThenItIsCancelled()
    {
        var time = new VirtualTime();
        await using var silos = new Silos(1, time);
        Talk(silos);
        var goOn = new TaskCompletionSource();
        silos[0].Engine.BeforeToken = (r, i) => i < 3 ? Task.CompletedTask : Task.WhenAny(goOn.Task, UntilCancelledAsync(r));
        await LoseAsync(silos, "c1");
        time.Advance(Limits.AbandonedTurn - TimeSpan.FromSeconds(1));
        // Somebody comes back in time, and is lost again: the time begins anew.
        await LoseAsync(silos, "c1");
        time.Advance(Limits.AbandonedTurn - TimeSpan.FromSeconds(1));
        Assert.Equal(0, silos[0].Engine.Cancelled);
        var following = silos.FollowAsync(TurnOf(1, "c1"), silos[0]);
        goOn.SetResult();
        Assert.IsType<TurnFinished>((await following)[^1]);
        Assert.Single(silos[0].Engine.Requests);

        goOn = new TaskCompletionSource();
        await LoseAsync(silos, "c2");
        while (silos[0].Engine.Cancelled == 0)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Stop);
        }
    }

    [Fact]
    public async Task AReaderGetsExactlyTheEventsFromTheOneItAsksFor()
    {
        await using var silos = new Silos(1);
        Talk(silos);
        var all = await silos.FollowAsync(TurnOf(1, "c1"), silos[0]);
        for (var from = 0; from <= all.Count; from++)
            Same(all[from..], await AttachAsync(from));

        // The same while it runs.
        var (half, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        silos[0].Engine.BeforeToken = async (_, at) =>
        {
            if (at != 5)
                return;
            half.SetResult();
            await goOn.Task;
        };
        var running = silos.FollowAsync(TurnOf(1, "c2"), silos[0]);
        await half.Task;
        var late = Enumerable.Range(0, all.Count).Select(from => AttachAsync(from, "c2")).ToList();
        goOn.SetResult();
        Same(all, await running);
        foreach (var (from, events) in (await Task.WhenAll(late)).Index())
            Same(all[from..], events);

        async Task<List<TurnEvent>> AttachAsync(int from, string conversation = "c1")
        {
            var events = new List<TurnEvent>();
            await foreach (var e in silos[0].Cluster.AttachTurnAsync(
                TenantId.Local, new ConversationId(conversation), new TurnId("t1"), from, Stop))
            {
                events.Add(e);
            }
            return events;
        }
    }

    [Fact]
    public async Task ATurnIsCancelledByItsIdWhereverItsReadersAre()
    {
        await using var silos = new Silos(1);
        Talk(silos);
        silos[0].Engine.BeforeToken = (r, i) => i < 3 ? Task.CompletedTask : UntilCancelledAsync(r);
        var begun = new TaskCompletionSource();
        var following = silos.FollowAsync(TurnOf(0, "c1"), silos[0], _ => begun.TrySetResult());
        await begun.Task;
        Assert.True(await silos[0].Cluster.CancelTurnAsync(TenantId.Local, new("c1"), new("t1"), Stop));
        Assert.Equal(TurnError.Cancelled, Assert.IsType<TurnFailed>((await following)[^1]).Failure.Error);
        Assert.False(await silos[0].Cluster.CancelTurnAsync(TenantId.Local, new("c1"), new("t1"), Stop));
    }

    [Fact]
    public async Task WithoutItsLeaseASiloIsSilentAndWritesNothing()
    {
        var time = new VirtualTime();
        var store = new MemoryStore(time);
        await using var member = new SiloMember(
            store.Membership, new MembershipOptions(), () => new(), time, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        await member.JoinAsync(new SiloEntry("s0/1", "s0:1", SiloStatus.Joining, ""), Stop);
        await using var silos = new Silos(1, lease: member.Lease);
        Talk(silos);
        var goOn = new TaskCompletionSource();
        silos[0].Engine.BeforeToken = (_, i) => i < 3 ? Task.CompletedTask : goOn.Task;
        var seen = new List<TurnEvent>();
        var some = new TaskCompletionSource();
        var following = silos.FollowAsync(TurnOf(0, "c1"), silos[0], e =>
        {
            seen.Add(e);
            some.TrySetResult();
        });
        await some.Task;
        await member.DisposeAsync(); // It beats no more.
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.False(member.Lease.IsHeld);
        var count = seen.Count;
        goOn.SetResult();
        await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Stop);
        Assert.InRange(seen.Count, count, count + 3); // What was on its way already.
        Assert.Empty(silos[0].Store.Commits);
        Assert.False(following.IsCompleted);
    }

    static async Task<PeerCall> OpenAsync(Silos silos, string conversation = "c1") => await silos.Network.From("gateway").OpenAsync(
        silos[0].Address, PeerMethods.RunTurn, JsonSerializer.SerializeToUtf8Bytes(
            new RunTurnCall(TurnOf(1, conversation), 0, []), ContractsJson.Default.RunTurnCall), PeerCallOptions.Default, Stop);

    /// <summary>Reads one event of a turn; then the connection breaks.</summary>
    static async Task LoseAsync(Silos silos, string conversation)
    {
        await using var call = await OpenAsync(silos, conversation);
        (await call.ReceiveAsync(Stop))!.Value.Dispose();
        silos.Network.BreakCalls("gateway", silos[0].Address);
    }
}
