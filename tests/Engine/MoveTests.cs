using Hearth.Contracts;
using Hearth.Engine.Memory;
using Hearth.Engine.Models;
using Hearth.Kernels;
using Microsoft.Extensions.Logging.Abstractions;
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
        new() { Seed = 10, TopP = 0.7f, LogitBias = new Dictionary<int, float> { [3] = 2, [5] = -100 }, TopLogprobs = 2 },
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
    public async Task WhileItWaitsOrIsReadSlowlyOrWasPreempted()
    {
        // Two replies whose readers are behind, in a pool and with places for hardly more than one.
        await using var harness = new Harness(blocks: 60, options: new EngineOptions { MaxSequences = 1 });
        var whole = Harness.Request("a", Harness.Tokens(1, 20), 400) with { Logprobs = true };
        var expected = await WholeAsync(whole);
        using var suspension = new CancellationTokenSource();
        var slow = Enumerable.Range(0, 3).Select(i => harness.Submit(
            whole with { Cache = new CacheId($"slow {i}"), Scope = $"{i}", Suspension = suspension.Token })).ToArray();
        foreach (var reader in slow)
        {
            while (reader.Count < Limits.ChunksUnreadMax)
            {
                await Task.Yield();
            }
        }

        Assert.True(harness.Engine.Load.Preemptions > 1);
        using var due = harness.Runner.Hook.After(1, suspension.Cancel);
        var running = harness.RunAsync(whole with { Suspension = suspension.Token });
        var waiting = harness.RunAsync(whole with { Cache = new CacheId("waiting"), Suspension = suspension.Token });
        Assert.Equal((TokenChunkKind.Suspended, 1), ((await running).Last.Kind, (await running).Tokens.Length));
        Assert.Equal((TokenChunkKind.Suspended, 0), ((await waiting).Last.Kind, (await waiting).Tokens.Length));
        for (var i = 0; i < 3; i++)
        {
            var first = await Harness.ReadAsync(slow[i]);
            Assert.Equal((TokenChunkKind.Suspended, 255), (first.Last.Kind, first.Tokens.Length));
            var cache = new CacheId($"slow {i}");
            Assert.Equal(20 + 254, harness.Engine.DescribeCache(cache).Tokens);
            var second = await harness.RunAsync(Rest(whole with { Cache = cache, Scope = $"{i}" }, first));
            Assert.Equal(20 + 254, second.Admitted.CachedTokens);
            Same(expected, first, second);
        }
    }

    [Fact]
    public async Task WhileItsSpillIsRead()
    {
        var whole = Harness.Request("a", Harness.Tokens(1, 600), 30) with { Logprobs = true };
        var expected = await WholeAsync(whole);
        await using var harness = new Harness();
        await harness.RunAsync(whole with { MaxTokens = 1 });
        var spill = await harness.ExportAsync("a", whole.Prompt.ToArray());
        await harness.DropAsync("a");
        using var suspension = new CancellationTokenSource();
        var reading = new FakeSpill
        {
            Tokens = spill.Tokens,
            Chunks = spill.Chunks,
            BeforeRead = (chunk, cancellation) =>
            {
                // It is begun when the first one has come, and the second is under way.
                if (chunk == Limits.RestoreReads)
                    suspension.Cancel();
                cancellation.ThrowIfCancellationRequested();
                return ValueTask.CompletedTask;
            },
        };
        await using var other = new Harness();
        var first = await other.RunAsync(whole with { Suspension = suspension.Token, Spill = reading });
        Assert.Equal((TokenChunkKind.Suspended, "suspended"), (first.Last.Kind, first.Admitted.CacheReason));
        Assert.Equal(256, other.Engine.DescribeCache(Id).Tokens);
        Same(expected, first, await other.RunAsync(whole with { Spill = spill }));
    }

    [Fact]
    public async Task AReplyThatHasJustFinishedIsFinished()
    {
        await using var harness = new Harness();
        var reply = await SuspendAsync(harness, Harness.Request("a", Harness.Tokens(1, 20), 5), 5);
        Assert.Equal((FinishReason.Length, 5), (reply.Last.Reason, reply.Tokens.Length));
        Assert.Equal(TokenChunkKind.Finished, reply.Last.Kind);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F16)]
    [InlineData(DType.BF16)]
    public async Task OnARealModelWithKeysAndValuesOfAnyType(DType type)
    {
        var loading = new ModelOptions { Threads = 1, KvType = type };
        using var model = LoadedModel.Load(Golden.Path("models/llama"), loading, TestContext.Current.CancellationToken);
        var hook = new StepHook();
        await using var left = Engine(model, hook);
        await using var right = Engine(model, hook);
        await using var still = Engine(model, new StepHook());
        var (random, moves) = (new Random(3), 0);
        for (var i = 0; i < 12; i++)
        {
            int[] prompt = [.. Enumerable.Range(0, random.Next(1, 150)).Select(_ => random.Next(model.Card.VocabularySize))];
            var whole = Harness.Request("a", prompt, 120) with { Sampling = Options[i % Options.Length], Logprobs = true };
            var mover = new Mover(whole);
            for (var turn = 0; turn < 4 && mover.Last is null; turn++)
            {
                var (from, to) = turn % 2 == 0 ? (left, right) : (right, left);
                await mover.RunAsync(from, hook, to, random.Next(25));
            }

            await (mover.Last is null ? mover.RunAsync(left, hook, null, 0) : Task.CompletedTask);
            Assert.Equal(TurnError.None, still.TrySubmit(whole with { Scope = $"{i}" }, out var chunks));
            var expected = await Harness.ReadAsync(chunks!);
            Assert.Equal(expected.Tokens, mover.Tokens);
            Assert.Equal(expected.Logprobs, mover.Logprobs);
            moves += mover.Moves;
            Assert.Equal(mover.Reused.All, mover.Reused.Cached);
            await left.DropAsync(Id, TestContext.Current.CancellationToken);
            await right.DropAsync(Id, TestContext.Current.CancellationToken);
        }

        Assert.InRange(moves, 20, 48);
    }

    static TokenEngine Engine(LoadedModel model, StepHook hook)
    {
        var options = new EngineOptions { MaxBatchTokens = 48, MaxSequences = 4 };
        var pool = new KvPool(model.KvLayout, 64);
        var context = new KernelContext(1);
        var runner = new HookedRunner(model.CreateRunner(context, pool, options.MaxBatchTokens), hook);
        return new TokenEngine(
            model.Card, runner, new KvPoolBlocks(pool), options, NullLogger.Instance, new ManualTime(), context, pool);
    }

    [Fact]
    public async Task AtRandomMomentsBesideOthersAndWithFewBlocks()
    {
        var random = new Random(5);
        var options = new EngineOptions { MaxSequences = 6, MaxBatchTokens = 40 };
        await using var left = new Harness(140, 20_000, options);
        await using var right = new Harness(140, 20_000, options);
        var places = new[] { left, right };
        var (moves, cached, all) = (0, 0, 0);
        var refusals = new List<string>();
        for (var round = 0; moves < 300; round++)
        {
            var crowd = Enumerable.Range(0, 6).Select(i => places[i % 2].RunAsync(Crowd(random, round, i))).ToArray();
            var movers = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => RunAsync(places, random.Next(), $"{round} {i}")));
            moves += movers.Sum(mover => mover.Moves);
            cached += movers.Sum(mover => mover.Reused.Cached);
            refusals.AddRange(movers.SelectMany(mover => mover.Refusals));
            all += movers.Sum(mover => mover.Reused.All);
            Assert.All(await Task.WhenAll(crowd), reply => Assert.Equal(TokenChunkKind.Finished, reply.Last.Kind));
        }

        Assert.True(cached > 0.9 * all, $"{cached} of {all} tokens came along");
        Assert.All(refusals, refusal => Assert.Equal("no room", refusal));
        Assert.InRange(refusals.Count, 0, moves / 5);
        foreach (var place in places)
        {
            await Task.WhenAll(Enumerable.Range(0, 6).Select(i => place.DropAsync($"crowd {i}")));
            await EmptyAsync(place);
        }
    }

    /// <summary>One reply that moves to and fro, checked against the one that stayed.</summary>
    static async Task<Mover> RunAsync(Harness[] places, int seed, string cache)
    {
        var random = new Random(seed);
        var prompt = Harness.Tokens(random.Next(), random.Next(1, random.Next(2) == 0 ? 40 : 250));
        var whole = Harness.Request(cache, prompt, random.Next(60, 200)) with
        {
            Sampling = Options[random.Next(Options.Length)],
            Logprobs = true,
            StopTokens = random.Next(2) == 0 ? [] : [1],
        };
        var mover = new Mover(whole);
        var at = random.Next(2);
        for (var moves = random.Next(1, 6); moves > 0 && mover.Last is null; moves--)
        {
            await mover.RunAsync(places[at].Engine, places[at].Runner.Hook, places[1 - at].Engine, random.Next(60));
            at = 1 - at;
        }

        if (mover.Last is null)
        {
            await mover.RunAsync(places[at].Engine, places[at].Runner.Hook, null, 0);
        }

        var expected = await WholeAsync(whole);
        Assert.Equal(expected.Tokens, mover.Tokens);
        Assert.Equal(expected.Logprobs, mover.Logprobs);
        Assert.Equal(expected.Last, mover.Last);
        await Task.WhenAll(places.Select(place => place.DropAsync(cache)));
        return mover;
    }

    static TokenRequest Crowd(Random random, int round, int i) =>
        Harness.Request($"crowd {i}", Harness.Tokens(round, random.Next(1, 120)), random.Next(1, 60)) with
        {
            Keep = random.Next(2) == 0,
        };

    /// <summary>Suspends while a step runs.</summary>
    static async Task<Reply> SuspendAsync(Harness harness, TokenRequest request, int step)
    {
        using var suspension = new CancellationTokenSource();
        using var due = harness.Runner.Hook.After(step, suspension.Cancel);
        return await harness.RunAsync(request with { Suspension = suspension.Token });
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
