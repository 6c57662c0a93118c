using Hearth.Contracts;
using Hearth.Engine.Models;
using Hearth.Kernels;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Engine.Tests;

/// <summary>The whole engine on a small checkpoint: bit for bit the same reply wherever the cache was.</summary>
public sealed class RealModelTests : IDisposable
{
    readonly LoadedModel _model = LoadedModel.Load(
        Golden.Path("models/llama"), new ModelOptions { Threads = 1, KvType = DType.F32 }, TestContext.Current.CancellationToken);

    [Fact]
    public async Task TheReplyIsTheSameAloneInABatchEvictedPreemptedAndRestored()
    {
        var prompts = Enumerable.Range(0, 16).Select(i => Tokens(i, 20 + (i * 5))).ToArray();
        var alone = new Dictionary<int, int[]>();
        await using var roomy = Engine(blocks: 512);
        for (var i = 0; i < prompts.Length; i++)
        {
            alone[i] = (await RunAsync(roomy, $"alone {i}", prompts[i], scope: $"{i}")).Tokens;
        }

        // 16 sequences of up to 6 blocks in 24 blocks: some are preempted, all are evicted to the host sooner or later.
        await using var tight = Engine(blocks: 24);
        var batch = prompts.Select((prompt, i) => RunAsync(tight, $"c{i}", prompt)).ToArray();
        for (var i = 0; i < batch.Length; i++)
        {
            Assert.Equal(alone[i], (await batch[i]).Tokens);
        }

        for (var i = 0; i < prompts.Length; i++)
        {
            int[] next = [.. prompts[i], .. alone[i], 7];
            var expected = await RunAsync(roomy, $"cold {i}", next, scope: $"cold {i}");
            Assert.Equal((CacheOrigin.New, 40), (expected.Admitted.Cache, expected.Tokens.Length));
            var spill = await SpillAsync(tight, $"c{i}", next);
            var resumed = await RunAsync(tight, $"c{i}", next);
            Assert.Equal(next.Length - 2, resumed.Admitted.CachedTokens);
            Assert.Equal(expected.Tokens, resumed.Tokens);
            await tight.DropAsync(new CacheId($"c{i}"), TestContext.Current.CancellationToken);
            var restored = await RunAsync(roomy, $"moved {i}", next, spill, $"moved {i}");
            Assert.Equal((CacheOrigin.Restored, next.Length - 2), (restored.Admitted.Cache, restored.Admitted.CachedTokens));
            Assert.Equal(expected.Tokens, restored.Tokens);
        }

        Assert.True(tight.Load.Preemptions > 0);
        tight.Memory.CheckIntegrity();
    }

    public void Dispose() => _model.Dispose();

    TokenEngine Engine(int blocks) => TokenEngine.Create(
        _model,
        new EngineOptions
        {
            Threads = 1,
            KvMemoryBytes = blocks * _model.KvLayout.BlockBytes,
            MaxBatchTokens = 80,
            MaxSequences = 16,
        },
        NullLogger.Instance,
        new ManualTime());

    int[] Tokens(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(_model.Card.VocabularySize))];
    }

    static Task<Reply> RunAsync(
        TokenEngine engine, string cache, int[] prompt, ICacheSpill? spill = null, string scope = "tenant")
    {
        var request = Harness.Request(cache, prompt, 40) with { Scope = scope, Spill = spill };
        Assert.Equal(TurnError.None, engine.TrySubmit(request, out var chunks));
        return Harness.ReadAsync(chunks!);
    }

    static async Task<FakeSpill> SpillAsync(TokenEngine engine, string cache, int[] tokens)
    {
        var held = engine.DescribeCache(new CacheId(cache)).Tokens;
        var chunk = await engine.ExportAsync(new CacheId(cache), 0, TestContext.Current.CancellationToken);
        var spill = new FakeSpill { Tokens = tokens.AsMemory(0, held) };
        spill.Chunks[0] = chunk!.Blob.ToArray();
        return spill;
    }
}
