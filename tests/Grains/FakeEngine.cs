using System.Threading.Channels;
using Hearth.Contracts;

namespace Hearth.Grains.Tests;

/// <summary>An engine that keeps tokens in place of keys and values, and says what it is told to say.</summary>
sealed class FakeEngine(ModelCard model) : ITokenEngine
{
    readonly Lock _lock = new();
    readonly Dictionary<CacheId, List<int>> _caches = [];

    public ModelCard Model => model;
    public EngineLoad Load { get; } = new();
    public int ChunkTokens => 16;
    public int BlockTokens => 4;

    /// <summary>The reply's tokens for a request; an end-of-sequence token ends it, as does the token limit.</summary>
    public Func<TokenRequest, IEnumerable<int>> Script { get; set; } = _ => [];

    /// <summary>Awaited before each token, with its index.</summary>
    public Func<TokenRequest, int, Task> BeforeToken { get; set; } = (_, _) => Task.CompletedTask;

    public TurnError Refusal { get; set; }

    public List<TokenRequest> Requests { get; } = [];
    public int Cancelled { get; private set; }

    public IReadOnlyList<int> Held(string cache)
    {
        lock (_lock)
            return _caches.TryGetValue(new CacheId(cache), out var held) ? [.. held] : [];
    }

    public TurnError TrySubmit(TokenRequest request, out ChannelReader<TokenChunk>? chunks)
    {
        chunks = null;
        if (Refusal != TurnError.None)
            return Refusal;
        lock (_lock)
            Requests.Add(request);
        var channel = Channel.CreateBounded<TokenChunk>(4);
        chunks = channel.Reader;
        _ = RunAsync(request, channel.Writer);
        return TurnError.None;
    }

    public CacheInfo DescribeCache(CacheId cache) =>
        Held(cache.Value) is { Count: > 0 } held ? new CacheInfo(CacheTier.Device, held.Count, held.Count * 100) : default;

    public ValueTask<CacheChunk?> ExportAsync(CacheId cache, int first, CancellationToken cancellationToken)
    {
        var tokens = Held(cache.Value).Skip(first).Take(ChunkTokens - first % ChunkTokens).ToArray();
        return ValueTask.FromResult(tokens.Length == 0
            ? null
            : new CacheChunk(first, tokens.Length, tokens.SelectMany(BitConverter.GetBytes).ToArray()));
    }

    public ValueTask<string?> ImportAsync(CacheId cache, string scope, ReadOnlyMemory<int> tokens, int first,
        ReadOnlyMemory<byte> blob, CancellationToken cancellationToken)
    {
        lock (_lock)
            _caches[cache] = [.. tokens.Span];
        return ValueTask.FromResult<string?>(null);
    }

    public ValueTask DropAsync(CacheId cache, CancellationToken cancellationToken)
    {
        lock (_lock)
            _caches.Remove(cache);
        return ValueTask.CompletedTask;
    }

    async Task RunAsync(TokenRequest request, ChannelWriter<TokenChunk> writer)
    {
        var (held, origin) = await CachedAsync(request);
        await writer.WriteAsync(new TokenChunk { Kind = TokenChunkKind.Admitted, CachedTokens = held, Cache = origin });
        List<int> tokens = [.. request.Prompt.Span];
        var made = 0;
        var last = new TokenChunk { Kind = TokenChunkKind.Finished, Reason = FinishReason.Length };
        foreach (var token in Script(request))
        {
            if (made == request.MaxTokens)
                break;
            await BeforeToken(request, made);
            if (request.Cancellation.IsCancellationRequested)
            {
                Cancelled++;
                var failure = new TurnFailure(TurnError.Cancelled, "cancelled");
                last = new TokenChunk { Kind = TokenChunkKind.Failed, Failure = failure };
                break;
            }
            tokens.Add(token);
            made++;
            await writer.WriteAsync(new TokenChunk { Kind = TokenChunkKind.Token, Token = token, Logprob = -1 });
            if (request.StopTokens.Contains(token))
            {
                last = last with { Reason = FinishReason.Stop };
                break;
            }
        }
        if (request.Keep)
        {
            // The last token's keys and values are not computed: nothing followed it.
            lock (_lock)
                _caches[request.Cache] = tokens[..^1];
        }
        await writer.WriteAsync(last);
        writer.Complete();
    }

    async Task<(int, CacheOrigin)> CachedAsync(TokenRequest request)
    {
        var held = Common(Held(request.Cache.Value), request.Prompt.Span);
        if (request.Spill is not { } spill)
            return (held, held > 0 ? CacheOrigin.Hit : CacheOrigin.New);
        var stored = new List<int>();
        for (var i = 0; await spill.ReadAsync(i, CancellationToken.None) is { } blob; i++)
            stored.AddRange(blob.ToArray().Chunk(4).Select(b => BitConverter.ToInt32(b)));
        var restored = Common(stored, request.Prompt.Span);
        return restored > held ? (restored, CacheOrigin.Restored)
            : (held, held > 0 ? CacheOrigin.Hit : CacheOrigin.Recomputed);
    }

    static int Common(IReadOnlyList<int> held, ReadOnlySpan<int> prompt) => held.ToArray().AsSpan().CommonPrefixLength(prompt);
}
