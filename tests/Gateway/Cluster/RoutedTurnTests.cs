using System.Text.Json;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Gateway.Cluster;
using Xunit;

namespace Hearth.Gateway.Tests.Cluster;

/// <summary>A turn's stream finds its silo and survives it.</summary>
public sealed class RoutedTurnTests
{
    static readonly RoutingOptions s_hasty = new()
    {
        Recovery = TimeSpan.FromMilliseconds(300),
        Silence = TimeSpan.FromMilliseconds(200),
        RetryFirst = TimeSpan.FromMilliseconds(5),
        RetryMax = TimeSpan.FromMilliseconds(20),
    };

    [Fact]
    public async Task AWarmTurnGoesStraightToItsOwner()
    {
        await using var rig = await ClusterRig.StartAsync();
        ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn()));
        var owner = rig.Directory.Locations[ClusterRig.Grain()].Owner!.Silo;
        rig.Directory.IsDown = true; // the second turn must not ask
        ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn(id: "turn_2")));
        Assert.Equal(2, rig.Silos[owner[..1]].Runs);
    }

    [Fact]
    public async Task AStaleCacheIsCorrectedOnce()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        await rig.RunAsync(ClusterRig.Turn());
        rig.Own("c", "B");
        for (var i = 2; i <= 4; i++)
        {
            ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn(id: $"turn_{i}")));
        }
        Assert.Equal((2, 3), (rig.Silos["A"].Runs, rig.Silos["B"].Runs));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(11)]
    public async Task AKilledOwnersReplyGoesOnElsewhereWithoutAGap(int shown)
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        var turn = await rig.StallAsync("A", shown);
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        rig.Die("A");

        ClusterRig.AssertWhole(await turn);
        Assert.Equal(JsonSerializer.Serialize(Enumerable.Range(0, shown).Select(i => FakeSilo.EventOf(i, "A/1")).ToList(),
            ContractsJson.Default.ListTurnEvent),
            JsonSerializer.Serialize([.. rig.Silos["B"].ShownOf("turn_1")], ContractsJson.Default.ListTurnEvent));
        Assert.Equal("B/1", rig.Directory.Locations[ClusterRig.Grain()].Owner!.Silo);
    }

    [Fact]
    public async Task NobodyTakesOverBeforeTheOwnerIsDead()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        rig.Silos["A"].StallAfter = 3;
        var turn = rig.RunAsync(ClusterRig.Turn());
        await rig.Silos["A"].StalledAsync(ClusterRig.Stop);
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, ClusterRig.Stop);
        Assert.Equal(0, rig.Silos["B"].Runs);
        rig.Die("A");
        ClusterRig.AssertWhole(await turn);
        Assert.Equal((1, 1), (rig.Silos["A"].Runs, rig.Silos["B"].Runs));
    }

    [Fact]
    public async Task ABrokenConnectionAloneMovesNothing()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        rig.Silos["A"].StallAfter = 5;
        var turn = rig.RunAsync(ClusterRig.Turn());
        await rig.Silos["A"].StalledAsync(ClusterRig.Stop);
        rig.Silos["A"].StallAfter = int.MaxValue;
        rig.Peers.Cut(ClusterRig.IdOf("A"));
        ClusterRig.AssertWhole(await turn);
        Assert.Equal((2, 0), (rig.Silos["A"].Runs, rig.Silos["B"].Runs));
    }

    [Fact]
    public async Task ADeadSiloIsLeftEvenIfItsConnectionLooksWell()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        var turn = await rig.StallAsync("A", 5);
        rig.Die("A");
        ClusterRig.AssertWhole(await turn);
        Assert.Equal(5, rig.Silos["B"].ShownOf("turn_1").Count);
    }

    [Fact]
    public async Task AMovingReplyIsFollowedThroughSeveralSilos()
    {
        await using var rig = await ClusterRig.StartAsync("ABCD");
        rig.Own("c", "A");
        foreach (var (silo, after) in new[] { ("A", 2), ("B", 5), ("C", 9) })
        {
            rig.Silos[silo].StallAfter = after;
        }
        var turn = rig.RunAsync(ClusterRig.Turn());
        foreach (var (from, to) in new[] { ("A", "B"), ("B", "C"), ("C", "D") })
        {
            await rig.Silos[from].StalledAsync(ClusterRig.Stop);
            rig.Own("c", to);
            rig.Peers.Cut(ClusterRig.IdOf(from));
        }
        ClusterRig.AssertWhole(await turn);
        Assert.Equal("0 2 5 9", string.Join(' ', "ABCD".Select(s => rig.Silos[$"{s}"].ShownOf("turn_1").Count)));
    }

    [Fact]
    public async Task WhatNobodyHasYetGoesAroundASiloThatIsNotThere()
    {
        await using var rig = await ClusterRig.StartAsync("ABC");
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        rig.Peers.Kill(ClusterRig.IdOf("B"));
        for (var i = 0; i < 20; i++)
        {
            ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn($"c{i}")));
        }
        Assert.Equal(20, rig.Silos["C"].Runs);
    }

    [Theory]
    [InlineData(TurnError.Draining)]
    [InlineData(TurnError.Overloaded)]
    [InlineData(TurnError.ModelLoading)]
    public async Task WhatNobodyHasYetGoesAroundASiloThatRefuses(TurnError error)
    {
        await using var rig = await ClusterRig.StartAsync("ABC");
        rig.Silos["A"].Refuse = rig.Silos["B"].Refuse = () => new TurnFailure(error, "no");
        for (var i = 0; i < 10; i++)
        {
            ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn($"c{i}")));
        }
        rig.Silos["C"].Refuse = rig.Silos["A"].Refuse;
        ClusterRig.AssertFailed(await rig.RunAsync(ClusterRig.Turn("d")), error);
    }

    [Fact]
    public async Task AFullClusterRefusesWithoutAskingItsSilosEachTime()
    {
        var time = new ManualTime();
        await using var rig = await ClusterRig.StartAsync("ABC", time: time);
        foreach (var silo in rig.Silos.Values)
        {
            silo.Refuse = () => new TurnFailure(TurnError.Overloaded, "no", null, TimeSpan.FromSeconds(1));
        }
        for (var round = 1; round <= 2; round++)
        {
            for (var i = 0; i < 20; i++)
            {
                var turn = ClusterRig.Turn($"c{i}") with { IsIdDrawn = true };
                Assert.NotNull(ClusterRig.AssertFailed(await rig.RunAsync(turn), TurnError.Overloaded).RetryAfter);
            }
            Assert.Equal([round, round, round], rig.Silos.Values.Select(s => s.Runs));
            Assert.Equal(20 * round, rig.Directory.Lookups); // one look each, however many silos refuse
            time.Advance(2 * Limits.FullFor);
        }
        // What may have been sent before is for the silos to tell.
        ClusterRig.AssertFailed(await rig.RunAsync(ClusterRig.Turn()), TurnError.Overloaded);
        Assert.All(rig.Silos.Values, s => Assert.Equal(3, s.Runs));
        rig.Silos["C"].Refuse = () => null;
        time.Advance(2 * Limits.FullFor);
        ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn("d") with { IsIdDrawn = true }));
    }

    [Fact]
    public async Task OnlyTheFirstCallOfATurnSaysThatItIsNew()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        rig.Silos["A"].StallAfter = 0;
        var turn = rig.RunAsync(ClusterRig.Turn() with { IsIdDrawn = true });
        await rig.Silos["A"].StalledAsync(ClusterRig.Stop);
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        rig.Die("A");
        ClusterRig.AssertWhole(await turn);
        ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn("d")));
        Assert.Equal([true, false, false], rig.Silos.Values.SelectMany(s => s.Calls).Select(c =>
            JsonSerializer.Deserialize(c.Request, ContractsJson.Default.RunTurnCall)!.IsNew));
    }

    [Fact]
    public async Task AnOwnersRefusalIsTheAnswer()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        rig.Silos["A"].Refuse = () => new TurnFailure(TurnError.Overloaded, "no", null, TimeSpan.FromSeconds(1));
        ClusterRig.AssertFailed(await rig.RunAsync(ClusterRig.Turn()), TurnError.Overloaded);
        Assert.Equal((1, 0), (rig.Silos["A"].Runs, rig.Silos["B"].Runs));

        var refuse = rig.Silos["A"].Refuse;
        rig.Silos["A"].Refuse = () => null;
        ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn()));
        rig.Silos["A"].Refuse = refuse; // found in the cache: the directory is asked, the owner is not asked again
        ClusterRig.AssertFailed(await rig.RunAsync(ClusterRig.Turn(id: "turn_2")), TurnError.Overloaded);
        Assert.Equal((3, 0), (rig.Silos["A"].Runs, rig.Silos["B"].Runs));
    }

    [Fact]
    public async Task SilosThatSendATurnBackAndForthAreNotFollowedForEver()
    {
        await using var rig = await ClusterRig.StartAsync(options: s_hasty with { Recovery = TimeSpan.FromSeconds(30) });
        rig.Own("c", "A");
        rig.Silos["A"].Refuse = () => new TurnFailure(TurnError.Moved, "moved", Silo: "B/1");
        rig.Silos["B"].Refuse = () => new TurnFailure(TurnError.Moved, "moved", Silo: "A/1");
        var failure = ClusterRig.AssertFailed(await rig.RunAsync(ClusterRig.Turn()), TurnError.Fenced);
        Assert.NotNull(failure.RetryAfter);
        Assert.InRange(rig.Silos["A"].Runs + rig.Silos["B"].Runs, 5, Limits.MovesMax + 1);
    }

    [Fact]
    public async Task ASiloThatAcceptsAndNeverAnswersFailsTheTurnInTime()
    {
        await using var rig = await ClusterRig.StartAsync(options: s_hasty);
        rig.Own("c", "A");
        rig.Silos["A"].StallAfter = 0;
        var begun = TimeProvider.System.GetTimestamp();
        ClusterRig.AssertFailed(await rig.RunAsync(ClusterRig.Turn()), TurnError.DeadlineExceeded);
        Assert.InRange(TimeProvider.System.GetElapsedTime(begun).TotalMilliseconds, 190, 5000);
        Assert.Equal("turn_1", (await rig.Silos["A"].AbandonedAsync(ClusterRig.Stop)).Value);
        Assert.Equal(0, rig.Silos["B"].Runs);
    }

    [Fact]
    public async Task ATurnWhoseSiloStaysAwayIsOfUnknownOutcome()
    {
        await using var rig = await ClusterRig.StartAsync(options: s_hasty with { Silence = TimeSpan.FromMinutes(1) });
        rig.Own("c", "A");
        rig.Silos["A"].StallAfter = 3;
        var turn = rig.RunAsync(ClusterRig.Turn());
        await rig.Silos["A"].StalledAsync(ClusterRig.Stop);
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        var events = await turn;
        Assert.Equal(4, events.Count);
        Assert.Contains("/turns/turn_1/", ClusterRig.AssertFailed(events, TurnError.OutcomeUnknown).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATurnThatReachedNobodyIsNotOfUnknownOutcome()
    {
        await using var rig = await ClusterRig.StartAsync(options: s_hasty);
        rig.Own("c", "A");
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        Assert.NotNull(ClusterRig.AssertFailed(await rig.RunAsync(ClusterRig.Turn()), TurnError.Fenced).RetryAfter);
    }

    [Fact]
    public async Task WithoutTheStoreANewTurnIsRefusedAndARunningOneGoesOn()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        rig.Silos["A"].StallAfter = 3;
        var running = rig.RunAsync(ClusterRig.Turn());
        await rig.Silos["A"].StalledAsync(ClusterRig.Stop);
        rig.Directory.IsDown = true;
        var refused = ClusterRig.AssertFailed(await rig.RunAsync(ClusterRig.Turn("d")), TurnError.StoreUnavailable);
        Assert.NotNull(refused.RetryAfter);

        // Its silo is lost too: it waits for the store rather than guess.
        rig.Silos["A"].StallAfter = int.MaxValue;
        rig.Peers.Cut(ClusterRig.IdOf("A"));
        await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, ClusterRig.Stop);
        Assert.False(running.IsCompleted);
        rig.Directory.IsDown = false;
        ClusterRig.AssertWhole(await running);
    }

    [Fact]
    public async Task AReaderThatLeavesAbortsTheCall()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        rig.Silos["A"].StallAfter = 2;
        await using (var events = rig.Gateway.RunTurnAsync(ClusterRig.Turn(), ClusterRig.Stop).GetAsyncEnumerator(ClusterRig.Stop))
        {
            Assert.True(await events.MoveNextAsync());
        }
        await rig.Silos["A"].AbandonedAsync(ClusterRig.Stop);
    }

    [Fact]
    public async Task DuplicatesThroughTwoGatewaysMeetInOneRun()
    {
        await using var rig = await ClusterRig.StartAsync("ABCD", gateways: 2);
        for (var round = 0; round < 10; round++)
        {
            var turn = ClusterRig.Turn($"c{round}", $"turn_{round}");
            var all = await Task.WhenAll(Enumerable.Range(0, 32).Select(i => rig.RunAsync(turn, i % 2 == 0 ? rig.Gateway : rig.Other)));
            Assert.All(all, events => ClusterRig.AssertWhole(events));
            Assert.Single(all.Select(events => ((TurnStarted)events[0]).Silo).Distinct());
        }
        Assert.Equal(10, rig.Silos.Values.Sum(s => s.Begun));
    }

    [Fact]
    public async Task AnotherGatewayGoesOnWithTheStream()
    {
        await using var rig = await ClusterRig.StartAsync(gateways: 2);
        rig.Own("c", "A");
        rig.Silos["A"].StallAfter = 4;
        var turn = ClusterRig.Turn();
        rig.Record(turn);
        await using (var first = rig.Gateway.RunTurnAsync(turn, ClusterRig.Stop).GetAsyncEnumerator(ClusterRig.Stop))
        {
            for (var i = 0; i < 3; i++)
            {
                Assert.True(await first.MoveNextAsync());
            }
            rig.Silos["A"].StallAfter = 8;
            var rest = ClusterRig.CollectAsync(
                rig.Other.AttachTurnAsync(turn.Tenant, turn.Conversation, turn.Id, 3, ClusterRig.Stop));
            await rig.Silos["A"].StalledAsync(ClusterRig.Stop);
            await rig.Silos["A"].StalledAsync(ClusterRig.Stop);
            rig.Peers.Kill(ClusterRig.IdOf("A"));
            rig.Die("A");
            ClusterRig.AssertWhole(await rest, from: 3);
        }
    }

    [Fact]
    public async Task WhatIsNotInATurnIsNotWaitedFor()
    {
        await using var rig = await ClusterRig.StartAsync();
        var turn = ClusterRig.Turn();
        async Task<TurnError> AttachAsync(int from) => Assert.IsType<TurnFailed>(Assert.Single(await ClusterRig.CollectAsync(
            rig.Gateway.AttachTurnAsync(turn.Tenant, turn.Conversation, turn.Id, from, ClusterRig.Stop)))).Failure.Error;

        Assert.Equal(TurnError.ConversationNotFound, await AttachAsync(0));
        rig.Own("c", "A");
        Assert.Equal(TurnError.InvalidRequest, await AttachAsync(FakeSilo.Events));
        rig.Die("A");
        while ((await rig.Gateway.ListSilosAsync(ClusterRig.Stop)).Count > 1)
        {
            await Task.Yield();
        }
        Assert.Equal(TurnError.ConversationNotFound, await AttachAsync(0));
        Assert.False(await rig.Gateway.CancelTurnAsync(turn.Tenant, turn.Conversation, turn.Id, ClusterRig.Stop));
        rig.Record(turn);
        Assert.True(await rig.Gateway.CancelTurnAsync(turn.Tenant, turn.Conversation, turn.Id, ClusterRig.Stop));
        Assert.Equal(PeerMethods.CancelTurn, Assert.Single(rig.Silos["B"].Calls).Method);
    }

    [Fact]
    public async Task ACompletionGoesElsewhereBeforeItsFirstEventAndFailsAfterIt()
    {
        await using var rig = await ClusterRig.StartAsync();
        var turn = new CompletionTurn { Id = new TurnId("t"), Tenant = TenantId.Local, Model = ScriptedCluster.Model, Prompt = "x" };
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        ClusterRig.AssertWhole(await ClusterRig.CollectAsync(rig.Gateway.RunCompletionAsync(turn, ClusterRig.Stop)));

        rig.Silos["B"].StallAfter = 3;
        var cut = ClusterRig.CollectAsync(rig.Gateway.RunCompletionAsync(turn, ClusterRig.Stop));
        await rig.Silos["B"].StalledAsync(ClusterRig.Stop);
        rig.Peers.Cut(ClusterRig.IdOf("B"));
        Assert.IsType<TurnFailed>((await cut)[^1]);
        Assert.Equal(4, (await cut).Count);
    }

    [Fact]
    public async Task ThePlaceOfADeadOwnersConversationIsNotADrainingSilo()
    {
        await using var rig = await ClusterRig.StartAsync("ABC");
        rig.Membership.Set(ClusterRig.IdOf("B"), SiloStatus.Draining);
        rig.Own("c", "A");
        rig.Die("A");
        while (await rig.Gateway.ListSilosAsync(ClusterRig.Stop) is not { Count: 2 })
        {
            await Task.Yield();
        }
        ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn()));
        Assert.Equal(1, rig.Silos["C"].Runs);
        Assert.DoesNotContain(rig.Silos["B"].Calls, c => c.Method == PeerMethods.RunTurn);
    }

    [Fact]
    public async Task ANewConversationGoesWhereItsBeginningIsKnownAndAnOldOneWhereItWas()
    {
        await using var rig = await ClusterRig.StartAsync("ABCDEF");
        var turn = ClusterRig.Turn() with { Items = [MessageItem.Of(Role.System, new string('s', 300)), MessageItem.Of(Role.User, "Hi")] };
        var key = PrefixKey.Of(turn.Tenant, turn.Model, null, turn.Items);
        var told = rig.Membership.Load;
        rig.Membership.Load = silo => told(silo) with { Prefixes = silo == "D/1" ? [7, key] : [7] };
        await rig.LoadsAreKnownAsync();
        for (var i = 0; i < 3; i++) // more would be sent elsewhere: a known beginning is worth so much load, and no more
        {
            var other = turn with { Conversation = new($"c{i}"), Items = [turn.Items[0], MessageItem.Of(Role.User, $"Hi {i}")] };
            ClusterRig.AssertWhole(await rig.RunAsync(other));
        }
        Assert.Equal(3, rig.Silos["D"].Runs);

        rig.Directory.Locations[ClusterRig.Grain("old")] = new GrainLocation(null, "E/1");
        ClusterRig.AssertWhole(await rig.RunAsync(turn with { Conversation = new("old") }));
        Assert.Equal(1, rig.Silos["E"].Runs);
    }

    [Fact]
    public void ABeginningIsNamedByWhatIsWorthSharing()
    {
        static ulong Key(string? system, string user, string tenant = "t", string? salt = null) =>
            PrefixKey.Of(new TenantId(tenant), "m", salt, system is null
                ? [MessageItem.Of(Role.User, user)]
                : [MessageItem.Of(Role.System, system), MessageItem.Of(Role.User, user), MessageItem.Of(Role.Assistant, user)]);
        var rules = new string('r', 256);
        Assert.Equal(Key(rules, "a"), Key(rules, "b"));
        Assert.NotEqual(Key("short", "a"), Key("short", "b"));
        Assert.NotEqual(Key(rules, "a"), Key(rules + "x", "a"));
        Assert.NotEqual(Key(rules, "a"), Key(rules, "a", tenant: "u"));
        Assert.NotEqual(Key(rules, "a"), Key(rules, "a", salt: "s"));
        Assert.Equal(Key(null, rules + "a"), Key(null, rules + "b"));
        Assert.Equal(0ul, PrefixKey.Of(TenantId.Local, "m", null, []));
    }
}
