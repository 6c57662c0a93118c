using Hearth.Actors.Storage;
using Hearth.Actors.Tests;
using Hearth.Contracts;
using Hearth.Grains.Migration;
using Hearth.Tests.Shared;
using Xunit;
using static Hearth.Grains.Tests.Silo;
using static Hearth.Grains.Tests.TakeoverTests;

namespace Hearth.Grains.Tests;

/// <summary>A conversation that moves with all it holds, at every place and with every fault.</summary>
public sealed class MigrationTests
{
    public static TheoryData<int> EachOption => [.. Enumerable.Range(0, Options.Length)];

    [Theory, MemberData(nameof(EachOption))]
    public async Task AReplyThatMovesAtAnyTokenIsTheOneThatStayed(int option)
    {
        await using var silos = new Silos(2);
        Talk(silos);
        var baseline = await silos.FollowAsync(TurnOf(option, "baseline"), silos[1]);
        var tokens = silos[1].Held("baseline").Count;
        for (var at = 0; at < 28; at++)
        {
            var conversation = $"c{at}";
            var move = MoveAt(silos, conversation, at);
            var events = await silos.FollowAsync(TurnOf(option, conversation), silos[0]);
            Same(baseline, events);
            if (!move.Task.IsCompleted)
                continue; // The reply was shorter.
            Assert.Equal(silos[1].Id, (await await move.Task)!.Silo);
            await CheckAsync(silos, conversation, owner: 1);
            Assert.Equal(tokens, silos[1].Held(conversation).Count);
            // What moved is computed there no more.
            var rest = silos[1].Engine.Requests.Last(r => r.Cache.Value == $"local/{conversation}");
            Assert.Equal(rest.Prompt.Length - 1, rest.ReplyTokens + baseline.OfType<TurnStarted>().Single().PromptTokens - 1);
        }
    }

    [Fact]
    public async Task AReplyThatMovesToAndFroAtEveryTokenIsTheOneThatStayed()
    {
        await using var silos = new Silos(2);
        Talk(silos);
        var baseline = await silos.FollowAsync(TurnOf(1, "baseline"), silos[1]);
        var moves = 0;
        foreach (var silo in silos.All)
        {
            var other = silos.All.Single(s => s != silo);
            var last = -1;
            silo.Engine.BeforeToken = async (request, at) =>
            {
                if (at <= last)
                    return;
                last = at;
                moves++;
                var suspended = new TaskCompletionSource();
                await using var registration = request.Suspension.Register(suspended.SetResult);
                // The other silo refuses it when it has not let go of the conversation yet: the reply goes on.
                await Task.WhenAny(suspended.Task, silo.MoveAsync("c1", other));
            };
        }
        var events = await silos.FollowAsync(TurnOf(1, "c1"), silos[0]);
        Same(baseline, events);
        Assert.True(moves > 20);
        foreach (var silo in silos.All)
            silo.Engine.BeforeToken = (_, _) => Task.CompletedTask;
        Assert.IsType<TurnFinished>((await silos.FollowAsync(TurnOf(0, "c1", "t2"), silos[0]))[^1]);
    }

    [Fact]
    public async Task AnIdleConversationMovesWithItsCacheAndItsWaitingTurns()
    {
        await using var silos = new Silos(2);
        Talk(silos);
        await silos.FollowAsync(TurnOf(0, "c1"), silos[0]);
        var held = silos[0].Held("c1");
        Assert.Equal(silos[1].Id, (await silos[0].MoveAsync("c1", silos[1]))!.Silo);
        Assert.Equal(held, silos[1].Held("c1"));
        await CheckAsync(silos, "c1", owner: 1);
        var events = await silos.FollowAsync(TurnOf(0, "c1", "t2"), silos[0]);
        Assert.Equal(held.Count, Assert.IsType<TurnStarted>(events[0]).CachedTokens);

        // Now while a turn runs and others wait.
        var move = MoveAt(silos, "c2", 3);
        var turns = Enumerable.Range(0, 5).Select(i => silos.FollowAsync(TurnOf(0, "c2", $"t{i}"), silos[0])).ToList();
        Assert.All(await Task.WhenAll(turns), e => Assert.IsType<TurnFinished>(e[^1]));
        await await move.Task;
        await CheckAsync(silos, "c2", owner: 1);
        Assert.Equal(5, (await silos[1].Cluster.DescribeConversationAsync(TenantId.Local, new("c2"), Stop))!.Turns);
    }

    [Theory]
    [InlineData(PeerDelivery.Break)]
    [InlineData(PeerDelivery.DeliverThenBreak)]
    [InlineData(PeerDelivery.Lose)]
    public async Task WhicheverMessageIsLostOneOwnerIsLeftAndTheStreamIsWhole(PeerDelivery fault)
    {
        var time = new VirtualTime();
        await using var silos = new Silos(2, time);
        Talk(silos);
        var baseline = await silos.FollowAsync(TurnOf(4, "baseline"), silos[1]);
        var failing = true;
        for (var message = 0; failing; message++)
        {
            failing = false;
            silos.Network.Fault = send =>
            {
                if (send.Method != PeerMethods.MoveIn || send.Index != message)
                    return PeerDelivery.Deliver;
                failing = true;
                return fault;
            };
            var conversation = $"c{message}";
            var move = MoveAt(silos, conversation, 5);
            var following = silos.FollowAsync(TurnOf(4, conversation), silos[0]);
            await PumpAsync(time, following, move.Task);
            Same(baseline, await following);
            await PumpAsync(time, SettledAsync(await move.Task));
            var owner = await silos.OwnerAsync(conversation);
            await PumpAsync(time, CheckAsync(silos, conversation, owner == silos[0].Id ? 0 : 1));
            var next = silos.FollowAsync(TurnOf(0, conversation, "t2"), silos[1]);
            await PumpAsync(time, next);
            Assert.IsType<TurnFinished>((await next)[^1]);
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task WhenTheStoreFailsAtTheHandOverOneOwnerIsLeft(bool unknown, bool written)
    {
        await using var silos = new Silos(2);
        Talk(silos);
        var baseline = await silos.FollowAsync(TurnOf(1, "baseline"), silos[1]);
        silos[0].Store.HandOverFault = () => (new StoreException("no answer", outcomeUnknown: unknown), written);
        var move = MoveAt(silos, "c1", 5);
        Same(baseline, await silos.FollowAsync(TurnOf(1, "c1"), silos[0]));
        await SettledAsync(await move.Task);
        await CheckAsync(silos, "c1", owner: written ? 1 : 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task TheTargetsEngineGoesOnBeforeTheConversationIsItsOwnAndNobodySeesIt(bool handedOver)
    {
        await using var silos = new Silos(2);
        Talk(silos);
        var baseline = await silos.FollowAsync(TurnOf(1, "baseline"), silos[1]);
        var ahead = new TaskCompletionSource();
        silos[1].Engine.BeforeToken = (request, at) =>
        {
            if (at == 7 && request.Cache.Value == "local/c1")
                ahead.TrySetResult();
            return Task.CompletedTask;
        };
        silos[0].Store.BeforeHandOver = () => ahead.Task.WaitAsync(Stop);
        silos[0].Store.HandOverFault = () => handedOver ? null : (new StoreException("no answer"), false);
        var move = MoveAt(silos, "c1", 5);
        Same(baseline, await silos.FollowAsync(TurnOf(1, "c1"), silos[0]));
        await SettledAsync(await move.Task);
        await CheckAsync(silos, "c1", owner: handedOver ? 1 : 0);
        Assert.Single(silos[1].Engine.Requests, r => r.Cache.Value == "local/c1");
        Assert.Equal(handedOver ? 0 : 1, silos[1].Engine.Cancelled);
    }

    [Fact]
    public async Task ATurnThatIsCancelledAtTheHandOverEndsAndTheTargetsEngineLetsGoOfIt()
    {
        await using var silos = new Silos(2);
        Talk(silos);
        var ahead = new TaskCompletionSource();
        silos[1].Engine.BeforeToken = (_, at) =>
        {
            if (at == 7)
                ahead.TrySetResult();
            return Task.CompletedTask;
        };
        silos[0].Store.BeforeHandOver = async () =>
        {
            await ahead.Task.WaitAsync(Stop);
            Assert.True(await silos[0].Cluster.CancelTurnAsync(TenantId.Local, new("c1"), TurnOf(1, "c1").Id, Stop));
        };
        var move = MoveAt(silos, "c1", 5);
        await silos.FollowAsync(TurnOf(1, "c1"), silos[0]);
        await await move.Task;
        await CheckAsync(silos, "c1", owner: 1);
        Assert.Equal(1, silos[1].Engine.Cancelled);
        Assert.IsType<TurnFinished>((await silos.FollowAsync(TurnOf(0, "c1", "t2"), silos[1]))[^1]);
    }

    [Fact]
    public async Task ATargetThatRefusesTheCacheGetsTheConversationAllTheSame()
    {
        await using var silos = new Silos(2);
        Talk(silos);
        silos[1].Engine.ImportRefusal = "no room";
        var baseline = await silos.FollowAsync(TurnOf(1, "baseline"), silos[1]);
        var move = MoveAt(silos, "c1", 5);
        Same(baseline, await silos.FollowAsync(TurnOf(1, "c1"), silos[0]));
        await await move.Task;
        await CheckAsync(silos, "c1", owner: 1);
    }

    [Fact]
    public async Task ADrainedSiloHandsEverythingOnAndNoTurnFails()
    {
        await using var silos = new Silos(3);
        Talk(silos, length: 40);
        for (var i = 0; i < 6; i++)
            await silos.FollowAsync(TurnOf(0, $"idle{i}"), silos[0]);
        await silos[0].Cluster.SpillConversationAsync(TenantId.Local, new("idle0"), Stop);
        var draining = new TaskCompletionSource<Task<DrainReport>>();
        var begun = 0;
        silos[0].Engine.BeforeToken = (request, at) =>
        {
            if (at == 5 && Interlocked.Increment(ref begun) == 4)
                draining.SetResult(silos[0].Cluster.DrainAsync(null, Stop));
            return at < 6 ? Task.CompletedTask : Task.Delay(TimeSpan.FromMilliseconds(3), TimeProvider.System, Stop);
        };
        var turns = Enumerable.Range(0, 4).Select(i => silos.FollowAsync(TurnOf(1, $"busy{i}"), silos[0])).ToList();
        var report = await await draining.Task;
        Assert.Equal((10, 0), (report.Moved + report.Released, report.Left));
        Assert.True(report.Moved >= 9);
        Assert.Equal(0, silos[0].Cluster.Load.Activations);
        Assert.Empty(silos[0].Engine.Caches);
        Assert.All(await Task.WhenAll(turns), events => Assert.IsType<TurnFinished>(events[^1]));
        // What moved is warm where it is now.
        var warm = await silos.FollowAsync(TurnOf(0, "idle3", "t2"), silos[1]);
        Assert.Equal(CacheOrigin.Hit, Assert.IsType<TurnStarted>(warm[0]).Cache);
        Assert.Equal(TurnError.Draining, Assert.IsType<TurnFailed>(
            (await silos.FollowAsync(TurnOf(0, "new"), silos[0]))[^1]).Failure.Error);
    }

    [Fact]
    public async Task WithNowhereToGoADrainedSiloFinishesItsRepliesAndLetsGo()
    {
        await using var silos = new Silos(1);
        Talk(silos);
        await silos.FollowAsync(TurnOf(0, "idle"), silos[0]);
        var draining = new TaskCompletionSource<Task<DrainReport>>();
        silos[0].Engine.BeforeToken = (_, at) =>
        {
            if (at == 1)
                draining.SetResult(silos[0].Cluster.DrainAsync(null, Stop));
            return Task.CompletedTask;
        };
        Assert.IsType<TurnFinished>((await silos.FollowAsync(TurnOf(1, "busy"), silos[0]))[^1]);
        Assert.Equal(new DrainReport(0, 2, 0), await await draining.Task);
        Assert.Null(await silos.OwnerAsync("busy"));
    }

    [Fact]
    public async Task ACacheThatThePreviousSiloStillHoldsIsPulledFromThere()
    {
        var time = new VirtualTime();
        await using var silos = new Silos(2, time);
        Talk(silos);
        await silos.FollowAsync(TurnOf(0, "c1"), silos[0]);
        var held = silos[0].Held("c1").Count;
        while ((await silos[0].Cluster.DescribeConversationAsync(TenantId.Local, new("c1"), Stop))!.SpilledTokens == 0)
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Stop);
        while (await silos.OwnerAsync("c1") is not null)
        {
            time.Advance(TimeSpan.FromMinutes(20));
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Stop);
        }
        var started = Assert.IsType<TurnStarted>((await silos.FollowAsync(TurnOf(0, "c1", "t2"), silos[1]))[0]);
        Assert.Equal((CacheOrigin.Pulled, held), (started.Cache, started.CachedTokens));
        await CheckAsync(silos, "c1", owner: 1);
    }

    [Fact]
    public async Task ForBalanceIdleConversationsMoveButNoneThatCameLately()
    {
        var time = new VirtualTime();
        await using var silos = new Silos(2, time);
        Talk(silos);
        for (var i = 0; i < 4; i++)
            await silos.FollowAsync(TurnOf(0, $"c{i}"), silos[0]);
        Assert.Equal(0, await silos[0].Cluster.MoveSomeAsync(2, silos[1].Entry, Stop));
        time.Advance(Actors.Limits.RebalanceStay);
        Assert.Equal(2, await silos[0].Cluster.MoveSomeAsync(2, silos[1].Entry, Stop));
        Assert.Equal(0, await silos[1].Cluster.MoveSomeAsync(2, silos[0].Entry, Stop));
        Assert.Equal(2, silos[1].Engine.Caches.Count);
    }

    [Fact]
    public async Task WhatCannotMoveSaysWhy()
    {
        await using var silos = new Silos(2);
        Talk(silos);
        await silos.FollowAsync(TurnOf(0, "c1"), silos[0]);
        Assert.Null(await silos[0].MoveAsync("none", silos[1]));
        await Assert.ThrowsAsync<TurnFailedException>(async () =>
            await silos[0].Cluster.MigrateConversationAsync(TenantId.Local, new("c1"), "s9/1", Stop));
        var moved = await Assert.ThrowsAsync<TurnFailedException>(() => silos[1].MoveAsync("c1", silos[0]));
        Assert.Equal((TurnError.Moved, silos[0].Id), (moved.Failure.Error, moved.Failure.Silo));
        silos.Network.Kill(silos[1].Address);
        var stays = await Assert.ThrowsAsync<TurnFailedException>(() => silos[0].MoveAsync("c1", silos[1]));
        Assert.Contains("does not answer", stays.Message, StringComparison.Ordinal);
        Assert.IsType<TurnFinished>((await silos.FollowAsync(TurnOf(0, "c1", "t2"), silos[0]))[^1]);
    }

    /// <summary>Begins to move a conversation when the engine of its first silo is about to make a token, and has it wait there.</summary>
    static TaskCompletionSource<Task<ConversationInfo?>> MoveAt(Silos silos, string conversation, int token)
    {
        var moving = new TaskCompletionSource<Task<ConversationInfo?>>();
        silos[0].Engine.BeforeToken = async (request, at) =>
        {
            if (at < token || request.Cache.Value != $"local/{conversation}" || moving.Task.IsCompleted)
                return;
            var suspended = new TaskCompletionSource();
            await using var registration = request.Suspension.Register(() => suspended.TrySetResult());
            var move = silos[0].MoveAsync(conversation, silos[1]);
            moving.SetResult(move);
            await Task.WhenAny(suspended.Task, move);
        };
        return moving;
    }

    /// <summary>One owner, one activation, and nothing held anywhere else.</summary>
    static async Task CheckAsync(Silos silos, string conversation, int owner)
    {
        Assert.Equal(silos[owner].Id, await silos.OwnerAsync(conversation));
        var other = silos[1 - owner];
        while (other.Held(conversation).Count > 0 || silos.Network.Calls > 0
            || (await other.Cluster.DescribeConversationAsync(TenantId.Local, new(conversation), Stop))!.State != "asleep")
        {
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Stop);
        }
        Assert.DoesNotContain(silos.All.SelectMany(s => s.Engine.Caches), cache => cache.Contains('#', StringComparison.Ordinal));
    }

    static async Task SettledAsync(Task<ConversationInfo?> move)
    {
        await ((Task)move).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (move.IsFaulted)
            Assert.IsType<TurnFailedException>(move.Exception.InnerException);
    }

    /// <summary>Lets the clock run until all is done.</summary>
    static async Task PumpAsync(VirtualTime time, params Task[] tasks)
    {
        var all = Task.WhenAll(tasks);
        while (!all.IsCompleted)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Stop);
            time.Advance(TimeSpan.FromMilliseconds(50));
        }
        await all;
    }
}
