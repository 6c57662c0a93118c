using System.Threading.Channels;
using Hearth.Contracts;

namespace Hearth.Grains.Tests;

/// <summary>An engine that keeps tokens in place of keys and values, and says what it is told to say.</summary>
sealed class FakeEngine(ModelCard model) : ITokenEngine
{
    readonly Lock _lock = new();
    readonly Dictionary<CacheId, int[]> _caches = [];

    public ModelCard Model => model;
    public EngineLoad Load { get; } = new();
    public int ChunkTokens => 16;
    public int BlockTokens => 4;

    /// <summary>The whole reply's tokens for a request; an end-of-sequence token ends it, as does the token limit. A request that goes
    /// on with a reply asks as the first one did, and gets what follows.</summary>
    public Func<TokenRequest, IEnumerable<int>> Script { get; set; } = _ => [];

    /// <summary>Awaited before each token, with its index in the reply.</summary>
    public Func<TokenRequest, int, Task> BeforeToken { get; set; } = (_, _) => Task.CompletedTask;

    public TurnError Refusal { get; set; }
    public bool IsFull => Refusal == TurnError.Overloaded;
    public int MaxQueue { get; set; } = int.MaxValue;

    /// <summary>Why parts are not taken; null if they are.</summary>
    public string? ImportRefusal { get; set; }

    public List<TokenRequest> Requests { get; } = [];
    public int Cancelled { get; private set; }

    /// <summary>The conversations that hold something.</summary>
    public IReadOnlyList<string> Caches
    {
        get
        {
            lock (_lock)
                return [.. _caches.Keys.Select(c => c.Value)];
        }
    }

    public IReadOnlyList<int> Held(string cache)
    {
        lock (_lock)
            return _caches.GetValueOrDefault(new CacheId(cache)) ?? [];
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
        ArgumentOutOfRangeException.ThrowIfNotEqual(first % BlockTokens, 0);
        var tokens = Held(cache.Value).Skip(first).Take(ChunkTokens - first % ChunkTokens).ToArray();
        return ValueTask.FromResult(tokens.Length == 0
            ? null
            : new CacheChunk(first, tokens.Length, tokens.SelectMany(BitConverter.GetBytes).ToArray()));
    }

    public ValueTask<string?> ImportAsync(CacheId cache, string scope, ReadOnlyMemory<int> tokens, int first,
        ReadOnlyMemory<byte> blob, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var held = _caches.GetValueOrDefault(cache) ?? [];
            var reason = ImportRefusal
                ?? (held.AsSpan().CommonPrefixLength(tokens.Span) < first ? "a gap" : null)
                ?? (TokensOf(blob.Span).SequenceEqual(tokens.Span[first..].ToArray()) ? null : "other tokens");
            if (reason is null)
                _caches[cache] = tokens.ToArray();
            return ValueTask.FromResult(reason);
        }
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
        var prompt = request.Prompt.ToArray();
        List<int> tokens = [.. prompt];
        var first = request with { Prompt = prompt.AsMemory(0, prompt.Length - request.ReplyTokens), ReplyTokens = 0 };
        var made = request.ReplyTokens;
        var last = new TokenChunk { Kind = TokenChunkKind.Finished, Reason = FinishReason.Length };
        Keep(request, [.. tokens.SkipLast(1)]);
        foreach (var token in Script(first).Skip(made))
        {
            if (made == request.ReplyTokens + request.MaxTokens)
                break;
            await BeforeToken(request, made);
            if (request.Cancellation.IsCancellationRequested)
            {
                Cancelled++;
                var failure = new TurnFailure(TurnError.Cancelled, "cancelled");
                last = new TokenChunk { Kind = TokenChunkKind.Failed, Failure = failure };
                break;
            }
            if (request.Suspension.IsCancellationRequested)
            {
                last = new TokenChunk { Kind = TokenChunkKind.Suspended };
                break;
            }
            // The last token's keys and values are not computed: nothing follows it yet.
            Keep(request, [.. tokens]);
            tokens.Add(token);
            made++;
            await writer.WriteAsync(new TokenChunk { Kind = TokenChunkKind.Token, Token = token, Logprob = -1 - token % 7 });
            if (request.StopTokens.Contains(token))
            {
                last = last with { Reason = FinishReason.Stop };
                break;
            }
        }
        if (!request.Keep && last.Kind != TokenChunkKind.Suspended)
            await DropAsync(request.Cache, CancellationToken.None);
        await writer.WriteAsync(last);
        writer.Complete();
    }

    void Keep(TokenRequest request, int[] tokens)
    {
        lock (_lock)
            _caches[request.Cache] = tokens;
    }

    async Task<(int, CacheOrigin)> CachedAsync(TokenRequest request)
    {
        var held = Common(Held(request.Cache.Value), request.Prompt.Span);
        var (best, origin) = (held, held > 0 ? CacheOrigin.Hit : request.Spill is null ? CacheOrigin.New : CacheOrigin.Recomputed);
        foreach (var spill in new[] { request.Peer, request.Spill })
        {
            var stored = new List<int>();
            for (var i = 0; spill is not null && await spill.ReadAsync(i, CancellationToken.None) is { } chunk; i++)
            {
                var tokens = TokensOf(chunk.Blob.Span);
                if (!spill.Tokens.Span[stored.Count..].StartsWith(tokens))
                    break;
                stored.AddRange(tokens);
            }
            if (Common(stored, request.Prompt.Span) is var found && found > best)
                (best, origin) = (found, spill!.Origin);
        }
        return (best, origin);
    }

    static int[] TokensOf(ReadOnlySpan<byte> blob) => [.. blob.ToArray().Chunk(4).Select(b => BitConverter.ToInt32(b))];

    static int Common(IReadOnlyList<int> held, ReadOnlySpan<int> prompt) => held.ToArray().AsSpan().CommonPrefixLength(prompt);
}
