using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Actors.Tests;
using Hearth.Contracts;
using Xunit;
using static Hearth.Grains.Tests.Silo;

namespace Hearth.Grains.Tests;

public sealed class DurabilityTests
{
    static readonly ConversationId One = new("c1");

    [Fact]
    public async Task ATurnThatTheStoreDoesNotTakeIsNeverReportedAsFinished()
    {
        FaultyStore? faults = null;
        await using var silo = Start(store => faults = new FaultyStore(store));
        silo.Says("hello");
        faults!.Unavailable = 1;
        Assert.Equal(TurnError.StoreUnavailable, await silo.FailAsync(Turn("t1", "hi")));
        Assert.Equal(0, (await silo.DescribeAsync())!.Turns);
        Assert.Equal("hello", await silo.SayAsync(Turn("t1", "hi")));
        Assert.Equal(1, (await silo.DescribeAsync())!.Turns);
    }

    [Fact]
    public async Task ACommitWhoseAnswerIsLostIsAskedAboutAgainAndFoundDone()
    {
        FaultyStore? faults = null;
        await using var silo = Start(store => faults = new FaultyStore(store));
        silo.Says("hello", "fine");
        faults!.AnswersLost = 1;
        Assert.Equal("hello", await silo.SayAsync(Turn("t1", "hi")));
        Assert.Equal("fine", await silo.SayAsync(Turn("t2", "more")));
        Assert.Equal(2, (await silo.DescribeAsync())!.Turns);
    }

    [Fact]
    public async Task ACancelledTurnWhoseEndTheStoreDidNotTakeGetsItLater()
    {
        FaultyStore? faults = null;
        var time = new VirtualTime();
        // The clock runs ahead of the work: the activation is not to be collected meanwhile.
        await using var silo = Start(store => faults = new FaultyStore(store), time, TimeSpan.FromDays(100));
        var (begun, ended) = (new TaskCompletionSource(), new TaskCompletionSource<OperationStatus>());
        faults!.Ended = ended.SetResult;
        silo.Engine.BeforeToken = (request, _) =>
        {
            begun.TrySetResult();
            return UntilCancelledAsync(request);
        };
        silo.Says("hello");
        faults.EndsRefused = 2;
        var failed = silo.FailAsync(Turn("t1", "hi"));
        await begun.Task;
        await silo.Cluster.CancelTurnAsync(TenantId.Local, One, new TurnId("t1"), Stop);
        Assert.Equal(TurnError.Cancelled, await failed);
        while (!ended.Task.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        Assert.Equal(OperationStatus.Cancelled, await ended.Task);
        Assert.True(faults.EndsRefused < 0);
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task AnOutcomeThatStaysUnknownIsToldAsUnknownAndTheSameTurnIdFindsOut(bool written)
    {
        FaultyStore? faults = null;
        var time = new VirtualTime();
        await using var silo = Start(store => faults = new FaultyStore(store), time);
        silo.Says("hello");
        // Every try is lost: on the way there, or on the way back.
        (faults!.AnswersLost, faults.RequestsLost) = written ? (int.MaxValue, 0) : (0, int.MaxValue);
        var failed = silo.FailAsync(Turn("t1", "hi"));
        while (!failed.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        Assert.Equal(TurnError.OutcomeUnknown, await failed);
        (faults.AnswersLost, faults.RequestsLost) = (0, 0);
        var again = await silo.RunAsync(Turn("t1", "hi"));
        Assert.Equal(written, Assert.IsType<TurnFinished>(again[^1]).Replayed);
        Assert.Equal(written ? 1 : 2, silo.Engine.Requests.Count);
        Assert.Equal(1, (await silo.DescribeAsync())!.Turns);
    }

    [Fact]
    public async Task AfterARestartAConversationGoesOnWithItsTokensAndItsSpill()
    {
        await using var first = Start();
        first.Says("hello world");
        await first.SayAsync(Turn("t1", "hi"));
        var prompt = first.LastPrompt;
        await using var second = await first.RestartAsync();
        var asleep = await second.DescribeAsync();
        Assert.Equal("asleep", asleep!.State);
        Assert.Equal("disk", asleep.Tier);
        second.Says("fine");
        var events = await second.RunAsync(Turn("t2", "more"));
        Assert.Equal(prompt, second.LastPrompt[..prompt.Length]);
        var started = Assert.IsType<TurnStarted>(events[0]);
        Assert.Equal(CacheOrigin.Restored, started.Cache);
        Assert.Equal(asleep.CachedTokens, started.CachedTokens);
        Assert.Equal(2, (await second.DescribeAsync())!.Epoch);
        Assert.True(Assert.IsType<TurnFinished>((await second.RunAsync(Turn("t1", "hi")))[^1]).Replayed);
    }

    [Fact]
    public async Task AConversationWhoseCacheIsGoneEverywhereIsRecomputedNotNew()
    {
        await using var first = Start();
        first.Says("hello world");
        Assert.Equal(CacheOrigin.New, Assert.IsType<TurnStarted>((await first.RunAsync(Turn("t1", "hi")))[0]).Cache);
        await using var second = await first.RestartAsync();
        await second.Blobs.ClearAsync(new GrainId(TenantId.Local.Value, One.Value), Stop);
        second.Says("fine");
        Assert.Equal(CacheOrigin.Recomputed, Assert.IsType<TurnStarted>((await second.RunAsync(Turn("t2", "more")))[0]).Cache);
    }

    [Fact]
    public async Task AnIdleConversationFallsAsleepAndWakesWithTheNextEpochAndItsTokens()
    {
        var time = new VirtualTime();
        await using var silo = Start(time: time);
        silo.Says("hello world", "fine");
        await silo.SayAsync(Turn("t1", "hi"));
        var prompt = silo.LastPrompt;
        while ((await silo.DescribeAsync())!.State != "asleep")
        {
            time.Advance(TimeSpan.FromMinutes(20));
            await Task.Yield();
        }
        await silo.SayAsync(Turn("t2", "more"));
        Assert.Equal(prompt, silo.LastPrompt[..prompt.Length]);
        Assert.NotNull(silo.Engine.Requests[^1].Spill);
        Assert.Equal(2, (await silo.DescribeAsync())!.Epoch);
    }

    [Fact]
    public async Task ASpilledConversationIsOnDiskAndComesBackFromThere()
    {
        await using var silo = Start();
        silo.Says("hello world", "fine");
        await silo.SayAsync(Turn("t1", "hi"));
        var spilled = await silo.Cluster.SpillConversationAsync(TenantId.Local, One, Stop);
        Assert.Equal("disk", spilled!.Tier);
        Assert.Empty(silo.Engine.Held("local/c1"));
        var events = await silo.RunAsync(Turn("t2", "more"));
        Assert.Equal(CacheOrigin.Restored, Assert.IsType<TurnStarted>(events[0]).Cache);
        Assert.Equal(spilled.CachedTokens, ((TurnStarted)events[0]).CachedTokens);
        Assert.Null(await silo.Cluster.SpillConversationAsync(TenantId.Local, new ConversationId("none"), Stop));
    }

    [Fact]
    public async Task ASpillWritesOnlyTheChunksThatChanged()
    {
        await using var silo = Start();
        silo.Says("hello world, this is a long reply that fills some chunks", "fine");
        await silo.SayAsync(Turn("t1", "hi"));
        await silo.Cluster.SpillConversationAsync(TenantId.Local, One, Stop);
        var before = Directory.GetFiles(Path.Combine(silo.DataDirectory, "spill"), "*", SearchOption.AllDirectories);
        await silo.SayAsync(Turn("t2", "more"));
        await silo.Cluster.SpillConversationAsync(TenantId.Local, One, Stop);
        var after = Directory.GetFiles(Path.Combine(silo.DataDirectory, "spill"), "*", SearchOption.AllDirectories);
        // The last chunk was partly filled and is written anew; the full ones stay.
        Assert.Equal(before.Length - 1, before.Intersect(after).Count());
        Assert.True(after.Length > before.Length);
    }

    [Fact]
    public async Task ADamagedSpillIsNotUsed()
    {
        await using var silo = Start();
        silo.Says("hello world", "fine");
        await silo.SayAsync(Turn("t1", "hi"));
        await silo.Cluster.SpillConversationAsync(TenantId.Local, One, Stop);
        foreach (var file in Directory.GetFiles(Path.Combine(silo.DataDirectory, "spill"), "*", SearchOption.AllDirectories))
        {
            var bytes = File.ReadAllBytes(file);
            bytes[^1] ^= 1;
            File.WriteAllBytes(file, bytes);
        }
        var events = await silo.RunAsync(Turn("t2", "more"));
        Assert.Equal(CacheOrigin.Recomputed, Assert.IsType<TurnStarted>(events[0]).Cache);
        Assert.Equal("fine", TextOf(events));
    }

    [Fact]
    public async Task DeleteWinsOverARunningTurn()
    {
        await using var silo = Start();
        silo.Says("hello");
        var running = new TaskCompletionSource();
        silo.Engine.BeforeToken = (request, _) =>
        {
            running.TrySetResult();
            return UntilCancelledAsync(request);
        };
        var turn = silo.FailAsync(Turn("t1", "hi"));
        await running.Task;
        Assert.True(await silo.Cluster.DeleteConversationAsync(TenantId.Local, One, Stop));
        Assert.Contains(await turn, new[] { TurnError.Cancelled, TurnError.Fenced });
        Assert.Null(await silo.DescribeAsync());
        Assert.Empty(silo.Engine.Held("local/c1"));
        Assert.Equal(TurnError.ConversationNotFound, await silo.FailAsync(Turn("t2", "hi")));
        Assert.False(await silo.Cluster.DeleteConversationAsync(TenantId.Local, One, Stop));
        Assert.Empty(Directory.GetFiles(Path.Combine(silo.DataDirectory, "spill"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task AStaleOwnersTurnIsFenced()
    {
        await using var silo = Start();
        silo.Says("hello");
        silo.Engine.BeforeToken = async (_, i) =>
        {
            if (i == 0 && await silo.Store.DescribeAsync(new("local", "c1"), Stop) is { Owner.Activation: { } owner })
                await silo.Store.AcquireAsync(new("local", "c1"), "another silo", "another", owner, Stop);
        };
        Assert.Equal(TurnError.Fenced, await silo.FailAsync(Turn("t1", "hi")));
        Assert.Empty((await silo.Store.ReadAsync(new("local", "c1"), Stop))!.Log);
    }

    [Fact]
    public async Task AStoppingSiloCancelsWhatRuns()
    {
        await using var silo = Start();
        silo.Says("hello");
        var running = new TaskCompletionSource();
        silo.Engine.BeforeToken = (request, _) =>
        {
            running.TrySetResult();
            return UntilCancelledAsync(request);
        };
        var turn = silo.FailAsync(Turn("t1", "hi"));
        await running.Task;
        await silo.Cluster.DisposeAsync();
        Assert.Equal(TurnError.Cancelled, await turn);
        Assert.False(silo.Cluster.Status.Ready);
        Assert.Equal(TurnError.Draining, await silo.FailAsync(Turn("t2", "hi")));
    }
}
