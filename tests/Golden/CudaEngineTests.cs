using System.Threading.Channels;
using Hearth.Contracts;
using Hearth.Cuda.Tests;
using Hearth.Engine;
using Hearth.Engine.Devices;
using Hearth.Engine.Models;
using Hearth.Kernels;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>The whole engine over a fake card: its replies are the processor's, and its caches go where they are sent.</summary>
[Collection(FakeCards.Collection)]
public sealed class CudaEngineTests : IAsyncLifetime
{
    const int BlocksMax = 24, ReplyTokens = 20;

    readonly LoadedModel _model;
    readonly Reference _reference;
    readonly List<TokenEngine> _engines = [];

    public CudaEngineTests()
    {
        FakeCards.Require();
        var directory = GoldenFolder.At("models", "llama3_gqa");
        _model = LoadedModel.Load(directory, new ModelOptions { KvType = DType.F32, Threads = 1 });
        _reference = new Reference(directory);
    }

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Greedy alone: ids come back. Beside a sampled one: logits. Then both again from their caches.</summary>
    [Fact]
    public async Task RepliesAreTheProcessors()
    {
        var (card, processor) = (Engine("cuda:0"), Engine("cpu"));
        var prompts = new[] { _reference.InputIds[..50], _reference.InputIds[20..80], _reference.InputIds[10..43] };
        foreach (var sampling in (SamplingOptions[])[new() { Temperature = 0 }, new() { Temperature = 0.6f, TopP = 0.9f, Seed = 7 }])
        {
            var replies = await Task.WhenAll(prompts.Select((p, i) => ReplyAsync(card, $"{i}", p, sampling)));
            var expected = await Task.WhenAll(prompts.Select((p, i) => ReplyAsync(processor, $"{i}", p, sampling)));
            Assert.Equal(expected, replies);
            prompts = [.. prompts.Zip(replies, (prompt, reply) => (int[])[.. prompt, .. reply, 5])];
        }
        Assert.True(card.Load.CachesOnDevice > 0);
    }

    /// <summary>Exported by one card, imported by another, and continued there.</summary>
    [Fact]
    public async Task AConversationMovesFromCardToCard()
    {
        var (one, two) = (Engine("cuda:0"), Engine("cuda:1"));
        var greedy = new SamplingOptions { Temperature = 0 };
        var prompt = _reference.InputIds[..70];
        int[] all = [.. prompt, .. await ReplyAsync(one, "c", prompt, greedy)];
        var held = one.DescribeCache(new CacheId("c")).Tokens;
        var chunk = await one.ExportAsync(new CacheId("c"), 0, Stop);
        Assert.NotNull(chunk);
        Assert.Null(await two.ImportAsync(new CacheId("c"), "tenant", all.AsMemory(0, held), 0, chunk.Blob, Stop));
        Assert.Equal(held, two.DescribeCache(new CacheId("c")).Tokens);
        Assert.Equal(await ReplyAsync(one, "c", [.. all, 9], greedy), await ReplyAsync(two, "c", [.. all, 9], greedy));
    }

    [Fact]
    public void ACardThatIsNotThereIsNamed() => Assert.Contains("--device cuda:7: There is no card cuda:7",
        Assert.Throws<DeviceException>(() => DeviceSpec.Parse("cuda:7")!.Require()).Message);

    [Theory]
    [InlineData("cpu", "cpu"), InlineData("cuda", "cuda:0"), InlineData("cuda:3", "cuda:3"), InlineData("cuda:1,cuda:0", "cuda:1,cuda:0")]
    [InlineData("gpu", null), InlineData("cuda:x", null), InlineData("cuda:-1", null), InlineData("cuda:0,cuda:0", null)]
    [InlineData("cuda:64", null), InlineData("", null), InlineData("cpu,cuda:0", null)]
    public void DevicesAreReadAsTheyAreWritten(string text, string? device) =>
        Assert.Equal(device, DeviceSpec.Parse(text)?.ToString());

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var engine in _engines)
            await engine.DisposeAsync();
        _model.Dispose();
        _reference.Dispose();
    }

    TokenEngine Engine(string device)
    {
        var options = new EngineOptions
        {
            Device = DeviceSpec.Parse(device)!,
            Threads = 1,
            KvMemoryBytes = BlocksMax * _model.KvLayout.BlockBytes,
            MaxSequences = 4,
            MaxBatchTokens = 64,
        };
        _engines.Add(TokenEngine.Create(_model, options, NullLogger.Instance, TimeProvider.System));
        return _engines[^1];
    }

    static async Task<int[]> ReplyAsync(TokenEngine engine, string cache, int[] prompt, SamplingOptions sampling)
    {
        var request = new TokenRequest
        {
            Cache = new CacheId(cache),
            Scope = "tenant",
            Prompt = prompt,
            Sampling = sampling,
            MaxTokens = ReplyTokens,
        };
        Assert.Equal(TurnError.None, engine.TrySubmit(request, out ChannelReader<TokenChunk>? chunks));
        var tokens = new List<int>();
        await foreach (var chunk in chunks!.ReadAllAsync(Stop))
        {
            Assert.NotEqual(TokenChunkKind.Failed, chunk.Kind);
            if (chunk.Kind == TokenChunkKind.Token)
                tokens.Add(chunk.Token);
        }
        return [.. tokens];
    }
}
