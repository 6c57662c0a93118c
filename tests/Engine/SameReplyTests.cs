using Hearth.Contracts;
using Xunit;

namespace Hearth.Engine.Tests;

/// <summary>A seeded reply does not depend on where its cache was, on how it got there, or on who else was there.</summary>
public class SameReplyTests
{
    [Fact]
    public async Task AloneOrInABatchOfSixteen()
    {
        var requests = Enumerable.Range(0, 16).Select(i => Harness.Request($"c{i}", Harness.Tokens(i, 5 + (i * 9)))).ToArray();
        await using var harness = new Harness();
        harness.Runner.Gate.Reset();
        var readers = requests.Select(harness.Submit).ToArray();
        harness.Runner.Gate.Set();
        for (var i = 0; i < requests.Length; i++)
        {
            Assert.Equal(await Harness.AloneAsync(requests[i]), (await Harness.ReadAsync(readers[i])).Tokens);
        }

        Assert.True(harness.Runner.SequencesMax > 8);
    }

    [Theory]
    [InlineData(17)]
    [InlineData(18)]
    [InlineData(23)]
    [InlineData(64)]
    [InlineData(512)]
    public async Task WithPromptChunksOfAnySize(int budget)
    {
        var request = Harness.Request("a", Harness.Tokens(1, 150));
        await using var harness = new Harness(options: new EngineOptions { MaxSequences = 1, MaxBatchTokens = budget });
        Assert.Equal(await Harness.AloneAsync(request), (await harness.RunAsync(request)).Tokens);
        Assert.True(harness.Runner.RowsMax <= budget);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(33)]
    public async Task OnItsOwnCacheToTheExactToken(int replyTokens)
    {
        await using var harness = new Harness();
        var prompt = Harness.Tokens(1, 29);
        var first = await harness.RunAsync(Harness.Request("a", prompt, replyTokens));
        var held = 29 + replyTokens - 1;
        Assert.Equal(new CacheInfo(CacheTier.Device, held, held * 8), harness.Engine.DescribeCache(new CacheId("a")));
        var next = Harness.Request("a", [.. prompt, .. first.Tokens, 1, 2, 3]);
        var second = await harness.RunAsync(next);
        Assert.Equal(await Harness.AloneAsync(next), second.Tokens);
        Assert.Equal(29 + replyTokens - 1, second.Admitted.CachedTokens);
        Assert.Equal(CacheOrigin.Hit, second.Admitted.Cache);
        Assert.Null(second.Admitted.CacheReason);
    }

    [Fact]
    public async Task WhenTheHistoryWasCutAnywhere()
    {
        await using var harness = new Harness();
        var prompt = Harness.Tokens(1, 40);
        await harness.RunAsync(Harness.Request("a", prompt));
        for (var cut = 39; cut > 0; cut--)
        {
            var edited = Harness.Request("a", [.. prompt[..cut], 200, .. Harness.Tokens(cut, 6)], 3);
            var reply = await harness.RunAsync(edited);
            Assert.Equal(await Harness.AloneAsync(edited), reply.Tokens);
            Assert.True(reply.Admitted.CachedTokens >= cut, $"cut {cut}, cached {reply.Admitted.CachedTokens}");
        }
    }

    [Fact]
    public async Task AfterEvictionToTheHostAndBack()
    {
        await using var harness = new Harness(blocks: 20);
        var prompt = Harness.Tokens(1, 61);
        var first = await harness.RunAsync(Harness.Request("a", prompt));
        await harness.RunAsync(Harness.Request("b", Harness.Tokens(2, 130)));
        Assert.Equal(CacheTier.Host, harness.Engine.DescribeCache(new CacheId("a")).Tier);
        var next = Harness.Request("a", [.. prompt, .. first.Tokens, 5]);
        var second = await harness.RunAsync(next);
        Assert.Equal(await Harness.AloneAsync(next), second.Tokens);
        Assert.Equal((CacheOrigin.Restored, 61 + 24 - 1), (second.Admitted.Cache, second.Admitted.CachedTokens));
    }

    [Theory]
    [InlineData(1 << 20)]
    [InlineData(0)]
    public async Task AfterPreemptionWithAndWithoutAHostTier(long hostBytes)
    {
        // Six sequences that grow to 12 blocks each share 32 blocks: some must give way and come back.
        await using var harness = new Harness(blocks: 32, hostBytes: hostBytes);
        var requests = Enumerable.Range(0, 6).Select(i => Harness.Request($"c{i}", Harness.Tokens(i, 30), 64)).ToArray();
        harness.Runner.Gate.Reset();
        var readers = requests.Select(harness.Submit).ToArray();
        harness.Runner.Gate.Set();
        for (var i = 0; i < requests.Length; i++)
        {
            Assert.Equal(await Harness.AloneAsync(requests[i]), (await Harness.ReadAsync(readers[i])).Tokens);
        }

        Assert.True(harness.Engine.Load.Preemptions > 0);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(600)]
    public async Task AfterExportDropAndRestore(int length)
    {
        await using var harness = new Harness();
        var prompt = Harness.Tokens(1, length);
        var first = await harness.RunAsync(Harness.Request("a", prompt));
        int[] history = [.. prompt, .. first.Tokens];
        var spill = await harness.ExportAsync("a", history);
        await harness.DropAsync("a");
        Assert.Equal(default, harness.Engine.DescribeCache(new CacheId("a")));
        await using var other = new Harness();
        foreach (var place in new[] { harness, other })
        {
            var next = Harness.Request("a", [.. history, 9, 8]) with { Spill = spill };
            var second = await place.RunAsync(next);
            Assert.Equal(await Harness.AloneAsync(next), second.Tokens);
            Assert.Equal((CacheOrigin.Restored, length + 23), (second.Admitted.Cache, second.Admitted.CachedTokens));
            Assert.Null(second.Admitted.CacheReason);
        }
    }

    [Fact]
    public async Task WhenARunningReplyIsExportedAndGoesOnElsewhere()
    {
        var whole = Harness.Request("a", Harness.Tokens(1, 90), 500);
        var expected = await Harness.AloneAsync(whole);
        await using var source = new Harness();
        using var cancellation = new CancellationTokenSource();
        var chunks = source.Submit(whole with { Cancellation = cancellation.Token });
        while (chunks.Count < 200)
        {
            await Task.Yield();
        }

        int[] all = [.. whole.Prompt.Span, .. expected];
        var spill = await source.ExportAsync("a", all);
        await cancellation.CancelAsync();
        var sent = (await Harness.ReadAsync(chunks)).Tokens;
        Assert.Equal(expected[..sent.Length], sent);

        await using var target = new Harness();
        int[] soFar = [.. whole.Prompt.Span, .. sent];
        var rest = await target.RunAsync(
            whole with { Prompt = soFar, ReplyTokens = sent.Length, MaxTokens = 500 - sent.Length, Spill = spill });
        Assert.Equal(expected[sent.Length..], rest.Tokens);
        Assert.Equal(CacheOrigin.Restored, rest.Admitted.Cache);
        Assert.True(rest.Admitted.CachedTokens >= 256);
    }

    [Fact]
    public async Task WhenItMovesInTheMiddleWithPenalties()
    {
        var sampling = new SamplingOptions { Seed = 3, FrequencyPenalty = 1, PresencePenalty = 0.5f, RepetitionPenalty = 1.3f };
        var whole = Harness.Request("a", Harness.Tokens(1, 50), 30) with { Sampling = sampling };
        var expected = await Harness.AloneAsync(whole);
        for (var cut = 1; cut < 30; cut += 7)
        {
            await using var harness = new Harness();
            int[] soFar = [.. whole.Prompt.Span, .. expected[..cut]];
            var rest = whole with { Prompt = soFar, ReplyTokens = cut, MaxTokens = 30 - cut };
            Assert.Equal(expected[cut..], (await harness.RunAsync(rest)).Tokens);
        }
    }
}
