using Hearth.Contracts;
using Hearth.Tests.Shared;
using Xunit;
using static Hearth.Grains.Tests.Silo;

namespace Hearth.Grains.Tests;

/// <summary>The store comes back without its last writes, and the silo compares what it holds.</summary>
public sealed class RollbackTests
{
    [Fact]
    public async Task AShorterTranscriptIsReadAnewBeforeTheNextTurnAndTheCacheStays()
    {
        var store = new MemoryStore(TimeProvider.System);
        await using var silo = Start(_ => store.Grains);
        silo.Says("first", "second", "third");
        await silo.SayAsync(Turn("t1", "one"));
        var image = store.Image;
        await silo.SayAsync(Turn("t2", "two"));
        store.Restart(image);
        await silo.Cluster.RevalidateAsync(Stop);

        var events = await silo.RunAsync(Turn("t3", "three"));
        Assert.IsType<TurnFinished>(events[^1]);
        Assert.Equal("third", TextOf(events));
        Assert.True(Assert.IsType<TurnStarted>(events[0]).CachedTokens > 0);
        var prompt = silo.Tokenizer.Decode(silo.LastPrompt, skipSpecialTokens: false);
        Assert.Contains("first", prompt, StringComparison.Ordinal);
        Assert.DoesNotContain("second", prompt, StringComparison.Ordinal);
        Assert.Equal(2, (await silo.DescribeAsync())!.Turns);
    }

    [Fact]
    public async Task AConversationThatTheStoreHasWholeStaysAsItIs()
    {
        var store = new MemoryStore(TimeProvider.System);
        await using var silo = Start(_ => store.Grains);
        silo.Says("first", "second");
        await silo.SayAsync(Turn("t1", "one"));
        store.Restart(store.Image);
        await silo.Cluster.RevalidateAsync(Stop);
        await silo.SayAsync(Turn("t2", "two"));
        Assert.Equal(1, (await silo.DescribeAsync())!.Epoch);
    }

    /// <summary>Its gateway looks for the conversation's owner then, which a cancelled turn would not have.</summary>
    [Fact]
    public async Task AReplyThatRunsThenIsToldAsMovedNotAsCancelled()
    {
        var store = new MemoryStore(TimeProvider.System);
        await using var silo = Start(_ => store.Grains);
        var begun = new TaskCompletionSource();
        silo.Engine.BeforeToken = (request, _) =>
        {
            begun.TrySetResult();
            return UntilCancelledAsync(request);
        };
        silo.Says("never");
        var failed = silo.FailAsync(Turn("t1", "one"));
        await begun.Task;
        store.Restart(MemoryImage.Empty);
        await silo.Cluster.RevalidateAsync(Stop);
        Assert.Equal(TurnError.Fenced, await failed);
    }
}
