using Hearth.Contracts;
using Xunit;

namespace Hearth.Engine.Tests;

/// <summary>The kinds of cache differ in what they hold, never in the reply.</summary>
public sealed class CacheKindTests
{
    const int Window = 20;

    static EngineOptions With(CacheKind kind) => new() { Cache = new CachePolicy { Kind = kind, Window = Window } };

    [Theory]
    [InlineData(CacheKind.Dynamic), InlineData(CacheKind.Static), InlineData(CacheKind.Sliding), InlineData(CacheKind.Offloaded)]
    [InlineData(CacheKind.None)]
    public async Task RepliesOfManyTurnsAreTheSameWhateverTheKindAndTheRoom(CacheKind kind)
    {
        await using var truth = new Harness(blocks: 1024, options: With(CacheKind.Dynamic));
        await using var harness = new Harness(blocks: 40, options: With(kind));
        var prompts = Enumerable.Range(0, 6).Select(i => Harness.Tokens(i / 2, 30 + (7 * i))).ToArray();
        for (var turn = 0; turn < 3; turn++)
        {
            var running = prompts.Select((prompt, i) => harness.RunAsync(Harness.Request($"c{i}", prompt, 40))).ToArray();
            for (var i = 0; i < prompts.Length; i++)
            {
                var expected = await truth.RunAsync(Harness.Request($"c{i}", prompts[i], 40));
                Assert.Equal(expected.ToString(), (await running[i]).ToString());
                // The fifth conversation is edited now and then: it goes on from before what it saw last.
                int[] before = i == 4 ? [.. prompts[i], .. expected.Tokens[..3]] : [.. prompts[i], .. expected.Tokens];
                prompts[i] = [.. before, .. Harness.Tokens(turn, 9)];
            }
        }
    }

    [Fact]
    public async Task ASlidingCacheHoldsItsWindowAndComesBackFromHostMemory()
    {
        await using var harness = new Harness(blocks: 32, options: With(CacheKind.Sliding), context: 4096);
        var prompt = Harness.Tokens(1, 60);
        var first = await harness.RunAsync(Harness.Request("long", prompt, 100));
        Assert.InRange(harness.Engine.Memory.Pool.Used, 1, (Window / harness.Kv.BlockTokens) + 3);
        Assert.InRange(harness.Engine.DescribeCache(new CacheId("long")).Bytes, 1, 48 * harness.Kv.TokenBytes);
        Assert.Null(await harness.Engine.ExportAsync(new CacheId("long"), 0, TestContext.Current.CancellationToken));

        await harness.RunAsync(Harness.Request("other", Harness.Tokens(2, 240), 8));
        Assert.Equal(CacheTier.Host, harness.Engine.DescribeCache(new CacheId("long")).Tier);
        int[] next = [.. prompt, .. first.Tokens, .. Harness.Tokens(3, 5)];
        var second = await harness.RunAsync(Harness.Request("long", next));
        Assert.Equal(159, second.Admitted.CachedTokens);
        await using var truth = new Harness(blocks: 1024, options: With(CacheKind.Dynamic));
        Assert.Equal((await truth.RunAsync(Harness.Request("alone", next))).Tokens, second.Tokens);
    }

    [Fact]
    public async Task AStaticCacheNeverWaitsForABlockOnceItRuns()
    {
        await using var harness = new Harness(blocks: 16, options: With(CacheKind.Static));
        var (a, b) = (Harness.Request("a", Harness.Tokens(1, 8), 56), Harness.Request("b", Harness.Tokens(2, 8), 80));
        harness.Runner.Gate.Reset();
        var (first, second) = (harness.RunAsync(a), harness.RunAsync(b));
        harness.Runner.Gate.Set();
        Assert.Equal(56, (await first).Tokens.Length);
        Assert.Equal(80, (await second).Tokens.Length);
        Assert.Equal(1, harness.Runner.SequencesMax);
    }

    [Fact]
    public async Task AnOffloadedCacheIsInHostMemoryBetweenTurns()
    {
        await using var harness = new Harness(options: With(CacheKind.Offloaded));
        var prompt = Harness.Tokens(1, 30);
        var reply = await harness.RunAsync(Harness.Request("a", prompt));
        Assert.Equal(CacheTier.Host, harness.Engine.DescribeCache(new CacheId("a")).Tier);
        var next = await harness.RunAsync(Harness.Request("a", [.. prompt, .. reply.Tokens, 5, 6]));
        Assert.Equal(53, next.Admitted.CachedTokens);
    }

    [Fact]
    public async Task WithoutACacheNothingIsTakenOrLeft()
    {
        await using var harness = new Harness();
        var request = Harness.Request("a", Harness.Tokens(1, 64)) with { Kind = CacheKind.None };
        await harness.RunAsync(request with { Kind = CacheKind.Default, Cache = new CacheId("other") });
        var reply = await harness.RunAsync(request);
        Assert.Equal(0, reply.Admitted.CachedTokens);
        Assert.Equal(CacheTier.None, harness.Engine.DescribeCache(new CacheId("a")).Tier);
    }

    [Fact]
    public void SlidingIsRefusedWhereSomeLayerSeesEverything()
    {
        var wrong = Assert.Throws<ArgumentException>(new EngineOptions { Cache = CachePolicy.Parse("sliding") }.Validate);
        Assert.Contains("Use dynamic", wrong.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => CachePolicy.Parse("hybrid"));
    }
}
