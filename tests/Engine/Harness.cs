using System.Collections.Concurrent;
using System.Threading.Channels;
using Hearth.Contracts;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Engine.Tests;

sealed record Reply(int[] Tokens, float[] Logprobs, TokenChunk Admitted, TokenChunk Last)
{
    public override string ToString() => $"{Last.Kind} {Last.Failure} [{string.Join(' ', Tokens)}]";
}

/// <summary>An engine on the fake model, with a clock that stands still.</summary>
sealed class Harness : IAsyncDisposable
{
    public Harness(int blocks = 256, long hostBytes = 1 << 20, EngineOptions? options = null, int context = 4096)
    {
        Kv = new FakeKv(blocks);
        Runner = new FakeRunner(Kv, context, options?.Cache.Window ?? 0);
        Runner.Gate.Reset();
        Engine = new TokenEngine(
            Card, Runner, Kv, (options ?? new EngineOptions()) with { HostMemoryBytes = hostBytes }, NullLogger.Instance, Time);
        Runner.Memory = Engine.Memory;
        Runner.Gate.Set();
    }

    public static ModelCard Card { get; } = new()
    {
        Name = "fake",
        Directory = ".",
        Family = "fake",
        VocabularySize = FakeRunner.Vocabulary,
        ContextLength = 1 << 20,
        Parameters = 0,
        EosTokens = [],
        Fingerprint = "fake-1",
        Created = DateTimeOffset.UnixEpoch,
    };

    public ManualTime Time { get; } = new();
    public FakeKv Kv { get; }
    public FakeRunner Runner { get; }
    public TokenEngine Engine { get; }

    public static int[] Tokens(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(FakeRunner.Vocabulary))];
    }

    public static TokenRequest Request(string cache, int[] prompt, int maxTokens = 24) => new()
    {
        Cache = new CacheId(cache),
        Scope = "tenant",
        Prompt = prompt,
        MaxTokens = maxTokens,
        Sampling = new SamplingOptions { Temperature = 0.8f, Seed = 7 },
    };

    public ChannelReader<TokenChunk> Submit(TokenRequest request)
    {
        Assert.Equal(TurnError.None, Engine.TrySubmit(request, out var chunks));
        return chunks!;
    }

    public Task<Reply> RunAsync(TokenRequest request) => ReadAsync(Submit(request));

    /// <summary>Reads a reply and checks its form: at most one Admitted, first; exactly one last chunk, last.</summary>
    public static async Task<Reply> ReadAsync(ChannelReader<TokenChunk> chunks)
    {
        var all = await chunks.ReadAllAsync(TestContext.Current.CancellationToken).ToListAsync();
        var isLast = all.Select(chunk => chunk.Kind is not (TokenChunkKind.Admitted or TokenChunkKind.Token)).ToArray();
        Assert.True(isLast[^1]);
        Assert.Equal(1, isLast.Count(last => last));
        Assert.All(all.Skip(1), chunk => Assert.NotEqual(TokenChunkKind.Admitted, chunk.Kind));
        var tokens = all.Where(chunk => chunk.Kind == TokenChunkKind.Token).ToArray();
        return new Reply([.. tokens.Select(t => t.Token)], [.. tokens.Select(t => t.Logprob)], all[0], all[^1]);
    }

    /// <summary>The same request on an engine of its own: what the reply must be.</summary>
    public static async Task<int[]> AloneAsync(TokenRequest request)
    {
        await using var harness = new Harness(blocks: 1024);
        return (await harness.RunAsync(request with { Spill = null })).Tokens;
    }

    /// <summary>All chunks of a conversation's cache as a store would keep them.</summary>
    public async Task<FakeSpill> ExportAsync(string cache, int[] tokens, bool int8 = false)
    {
        var spill = new FakeSpill { Tokens = tokens.AsMemory(0, Engine.DescribeCache(new CacheId(cache)).Tokens) };
        for (var i = 0; i * Engine.ChunkTokens < spill.Tokens.Length; i++)
        {
            var (id, first, stop) = (new CacheId(cache), i * Engine.ChunkTokens, TestContext.Current.CancellationToken);
            var chunk = await (int8 ? Engine.ExportInt8Async(id, first, stop) : Engine.ExportAsync(id, first, stop));
            spill.Chunks[i] = chunk!.Blob.ToArray();
        }

        return spill;
    }

    public Task DropAsync(string cache) => Engine.DropAsync(new CacheId(cache), TestContext.Current.CancellationToken).AsTask();

    public ValueTask DisposeAsync()
    {
        Runner.Gate.Set();
        return Engine.DisposeAsync();
    }
}

sealed class FakeSpill : ICacheSpill
{
    public ConcurrentDictionary<int, byte[]> Chunks { get; init; } = new();
    public ReadOnlyMemory<int> Tokens { get; init; }
    public CacheOrigin Origin { get; init; } = CacheOrigin.Restored;
    public string Source { get; init; } = "the store";
    public Func<int, CancellationToken, ValueTask>? BeforeRead { get; init; }
    public Func<CacheChunk, CacheChunk> Lend { get; init; } = chunk => chunk;

    public async ValueTask<CacheChunk?> ReadAsync(int chunk, CancellationToken cancellationToken)
    {
        if (BeforeRead is { } before)
        {
            await before(chunk, cancellationToken);
        }

        return Chunks.TryGetValue(chunk, out var blob) ? Lend(new(chunk * Limits.ChunkTokens, 0, blob)) : null;
    }
}
