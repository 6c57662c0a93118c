using Hearth.Contracts;
using Xunit;

namespace Hearth.Engine.Tests;

/// <summary>A reply that is suspended anywhere goes on, here or on another engine, bit for bit as if it had stayed.</summary>
public class MoveTests
{
    static readonly CacheId Id = new("a");

    static readonly SamplingOptions[] Options =
    [
        new() { Temperature = 0 },
        new() { Temperature = 0.8f, Seed = 7 },
        new() { Seed = 8, FrequencyPenalty = 1.1f, PresencePenalty = 0.4f },
        new() { Seed = 9, RepetitionPenalty = 1.3f, TopK = 12 },
        new() { Seed = 10, TopP = 0.7f, LogitBias = new Dictionary<int, float> { [3] = 2, [5] = -100, [7] = 4 }, TopLogprobs = 2 },
        new() { Seed = 11, MinP = 0.2f, Temperature = 1.4f, RepetitionPenalty = 0.9f, FrequencyPenalty = -0.3f },
    ];

    [Fact]
    public async Task AfterAnyOfTheFirst64Tokens()
    {
        for (var cut = 1; cut <= 64; cut++)
        {
            var whole = Harness.Request("a", Harness.Tokens(cut % 7, 20 + cut), 70) with
            {
                Sampling = Options[cut % Options.Length],
                Logprobs = true,
            };
            var expected = await WholeAsync(whole);
            await using var source = new Harness();
            await using var target = new Harness();
            var first = await SuspendAsync(source, whole, cut);
            Assert.Equal((TokenChunkKind.Suspended, cut), (first.Last.Kind, first.Tokens.Length));
            var held = whole.Prompt.Length + cut - 1;
            Assert.Equal(held, source.Engine.DescribeCache(Id).Tokens);
            var rest = Rest(whole, first);
            await CopyAsync(source, target, rest.Prompt);
            foreach (var place in new[] { source, target })
            {
                var second = await place.RunAsync(rest);
                Assert.Equal((CacheOrigin.Hit, held), (second.Admitted.Cache, second.Admitted.CachedTokens));
                Same(expected, first, second);
                await EmptyAsync(place);
            }
        }
    }

    [Theory]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(33)]
    public async Task InTheMiddleOfAPrompt(int budget)
    {
        var whole = Harness.Request("a", Harness.Tokens(1, 150), 10) with { Logprobs = true };
        var expected = await WholeAsync(whole);
        var options = new EngineOptions { MaxSequences = 1, MaxBatchTokens = budget };
        for (var step = 1; step <= 150 / budget; step++)
        {
            await using var source = new Harness(options: options);
            await using var target = new Harness(options: options);
            var first = await SuspendAsync(source, whole, step);
            Assert.Equal((TokenChunkKind.Suspended, 0), (first.Last.Kind, first.Tokens.Length));
            Assert.Equal(step * budget, source.Engine.DescribeCache(Id).Tokens);
            await CopyAsync(source, target, whole.Prompt);
            foreach (var place in new[] { source, target })
            {
                var second = await place.RunAsync(whole);
                Assert.Equal(step * budget, second.Admitted.CachedTokens);
                Same(expected, first, second);
                await EmptyAsync(place);
            }
        }
    }

    [Fact]
    public async Task AReplyThatHasJustFinishedIsFinished()
    {
        await using var harness = new Harness();
        var reply = await SuspendAsync(harness, Harness.Request("a", Harness.Tokens(1, 20), 5), 5);
        Assert.Equal((FinishReason.Length, 5), (reply.Last.Reason, reply.Tokens.Length));
        Assert.Equal(TokenChunkKind.Finished, reply.Last.Kind);
    }

    /// <summary>Suspends while a step runs.</summary>
    static async Task<Reply> SuspendAsync(Harness harness, TokenRequest request, int step)
    {
        using var suspension = new CancellationTokenSource();
        harness.Runner.OnStep = at =>
        {
            if (at == step)
            {
                suspension.Cancel();
            }
        };
        var reply = await harness.RunAsync(request with { Suspension = suspension.Token });
        harness.Runner.OnStep = null;
        return reply;
    }

    static TokenRequest Rest(TokenRequest whole, Reply first) => whole with
    {
        Prompt = (int[])[.. whole.Prompt.Span, .. first.Tokens],
        ReplyTokens = whole.ReplyTokens + first.Tokens.Length,
        MaxTokens = whole.MaxTokens - first.Tokens.Length,
    };

    static async Task CopyAsync(Harness source, Harness target, ReadOnlyMemory<int> tokens)
    {
        var stop = TestContext.Current.CancellationToken;
        for (var first = 0; await source.Engine.ExportAsync(Id, first, stop) is { } part; first += part.Tokens)
        {
            var known = tokens[..(first + part.Tokens)];
            Assert.Null(await target.Engine.ImportAsync(Id, "tenant", known, first, part.Blob, stop));
            if (part.Tokens % source.Engine.BlockTokens > 0)
            {
                break;
            }
        }

        Assert.Equal(source.Engine.DescribeCache(Id), target.Engine.DescribeCache(Id));
    }

    static void Same(Reply expected, Reply first, Reply second)
    {
        Assert.Equal(expected.Tokens, (int[])[.. first.Tokens, .. second.Tokens]);
        Assert.Equal(expected.Logprobs, (float[])[.. first.Logprobs, .. second.Logprobs]);
        Assert.Equal(expected.Last, second.Last);
    }

    static async Task EmptyAsync(Harness harness)
    {
        await harness.DropAsync("a");
        harness.Engine.Memory.CheckIntegrity();
        Assert.Equal((0, 0L), (harness.Engine.Memory.Pool.Used, harness.Engine.Memory.Host.BytesUsed));
    }

    static async Task<Reply> WholeAsync(TokenRequest request)
    {
        await using var harness = new Harness(blocks: 1024);
        return await harness.RunAsync(request);
    }
}
