using System.Threading.Channels;
using Hearth.Contracts;

namespace Hearth.Simulation.Tests.World;

/// <summary>An engine whose next token is a function of all tokens before it, the seed and the reply's length so far, and whose cache
/// holds tokens in place of keys and values. Everything that the contract promises is kept, everything it forbids is a violation.</summary>
sealed class SimEngine(SimProcess process, ModelCard model) : ITokenEngine
{
    const int SequencesMax = 32;
    const int TokensMax = 20_000;

    readonly Dictionary<CacheId, List<int>> _caches = [];
    readonly HashSet<CacheId> _running = [];
    readonly HashSet<CacheId> _dropped = [];

    public ModelCard Model => model;
    public int ChunkTokens => 32;
    public int BlockTokens => 8;

    /// <summary>Of one decode step.</summary>
    public TimeSpan Step { get; set; } = TimeSpan.FromMilliseconds(20);

    public EngineLoad Load => new()
    {
        Running = _running.Count,
        BlockTokens = BlockTokens,
        BlocksTotal = TokensMax / BlockTokens,
        BlocksUsed = _caches.Values.Sum(c => (c.Count + BlockTokens - 1) / BlockTokens),
    };

    public IEnumerable<CacheId> Caches => _caches.Keys;

    public TurnError TrySubmit(TokenRequest request, out ChannelReader<TokenChunk>? chunks)
    {
        chunks = null;
        CheckProcess();
        if (request.Prompt.Length >= model.ContextLength)
            return TurnError.ContextLengthExceeded;
        if (_running.Count >= SequencesMax)
            return TurnError.Overloaded;
        if (request.Sampling is { Temperature: > 0, Seed: null })
            process.World.Violate($"{process.Name}: a request without a seed: the reply could not go on elsewhere");
        if (!_running.Add(request.Cache))
            process.World.Violate($"{process.Name}: two sequences of {request.Cache} run at once");
        var channel = Channel.CreateBounded<TokenChunk>(4);
        chunks = channel.Reader;
        _ = RunAsync(request, channel.Writer);
        return TurnError.None;
    }

    public CacheInfo DescribeCache(CacheId cache) => _caches.TryGetValue(cache, out var held) && held.Count > 0
        ? new CacheInfo(CacheTier.Device, held.Count, held.Count * 64L)
        : default;

    public async ValueTask<CacheChunk?> ExportAsync(CacheId cache, int first, CancellationToken cancellationToken)
    {
        CheckProcess();
        if (first % BlockTokens != 0)
            process.World.Violate($"{process.Name}: an export from token {first}, which begins no block");
        await Task.Delay(TimeSpan.FromMilliseconds(1), process.Time, cancellationToken);
        if (!_caches.TryGetValue(cache, out var held) || held.Count <= first)
            return null;
        var tokens = held.GetRange(first, Math.Min(held.Count - first, ChunkTokens - first % ChunkTokens));
        return new CacheChunk(first, tokens.Count, BlobOf(tokens));
    }

    public async ValueTask<string?> ImportAsync(CacheId cache, string scope, ReadOnlyMemory<int> tokens, int first,
        ReadOnlyMemory<byte> blob, CancellationToken cancellationToken)
    {
        CheckProcess();
        var (all, part) = (tokens.ToArray(), blob.ToArray());
        await Task.Delay(TimeSpan.FromMilliseconds(1), process.Time, cancellationToken);
        if (_running.Contains(cache))
            return "busy";
        if (first % BlockTokens != 0 || first >= all.Length)
            return "not a part";
        var held = _caches.GetValueOrDefault(cache) ?? [];
        if (held.Count < first || !held.Take(first).SequenceEqual(all.Take(first)))
            return "a gap";
        if (!part.AsSpan().SequenceEqual(BlobOf(all[first..])))
            return "not the blob of these tokens";
        if (_caches.Values.Sum(c => c.Count) + all.Length > TokensMax)
            return "no room";
        _caches[cache] = [.. all];
        return null;
    }

    public ValueTask DropAsync(CacheId cache, CancellationToken cancellationToken)
    {
        CheckProcess();
        _caches.Remove(cache);
        if (_running.Contains(cache))
            _dropped.Add(cache);
        return ValueTask.CompletedTask;
    }

    /// <summary>As a full pool gives up what is idle.</summary>
    public void EvictIdle()
    {
        foreach (var cache in _caches.Keys.Where(c => !_running.Contains(c)).ToArray())
            _caches.Remove(cache);
    }

    public static byte[] BlobOf(IReadOnlyList<int> tokens) => [.. tokens.SelectMany(BitConverter.GetBytes)];

    async Task RunAsync(TokenRequest request, ChannelWriter<TokenChunk> writer)
    {
        var last = new TokenChunk
        {
            Kind = TokenChunkKind.Failed,
            Failure = new TurnFailure(TurnError.Internal, "The engine broke."),
        };
        try
        {
            last = await DecodeAsync(request, writer);
        }
        finally
        {
            _running.Remove(request.Cache);
            if (_dropped.Remove(request.Cache) || !request.Keep)
                _caches.Remove(request.Cache);
            await writer.WriteAsync(last);
            writer.Complete();
        }
    }

    async Task<TokenChunk> DecodeAsync(TokenRequest request, ChannelWriter<TokenChunk> writer)
    {
        var prompt = request.Prompt.ToArray();
        var (cached, origin) = await CachedAsync(request, prompt);
        await Task.Delay(Step + TimeSpan.FromMilliseconds(0.2) * (prompt.Length - cached), process.Time);
        if (EndOf(request) is { } early)
            return early;
        await writer.WriteAsync(new TokenChunk { Kind = TokenChunkKind.Admitted, CachedTokens = cached, Cache = origin });
        List<int> tokens = [.. prompt];
        var held = _caches[request.Cache] = [.. prompt];
        var reply = new SimReply(model, request.Sampling.Seed ?? 0, prompt);
        for (var made = 0; ; made++)
        {
            if (EndOf(request) is { } end)
                return end;
            if (made == request.MaxTokens || tokens.Count == model.ContextLength)
                return new TokenChunk { Kind = TokenChunkKind.Finished, Reason = FinishReason.Length };
            await Task.Delay(Step, process.Time);
            var token = reply.Next(request.ReplyTokens + made);
            // The token before this one has its keys and values now.
            if (tokens.Count > held.Count)
                held.Add(tokens[^1]);
            tokens.Add(token);
            await writer.WriteAsync(new TokenChunk { Kind = TokenChunkKind.Token, Token = token, Logprob = -token / 100f });
            if (request.StopTokens.Contains(token))
                return new TokenChunk { Kind = TokenChunkKind.Finished, Reason = FinishReason.Stop };
        }
    }

    static TokenChunk? EndOf(TokenRequest request)
    {
        if (request.Cancellation.IsCancellationRequested)
            return new TokenChunk { Kind = TokenChunkKind.Failed, Failure = new TurnFailure(TurnError.Cancelled, "cancelled") };
        return request.Suspension.IsCancellationRequested ? new TokenChunk { Kind = TokenChunkKind.Suspended } : null;
    }

    async Task<(int, CacheOrigin)> CachedAsync(TokenRequest request, int[] prompt)
    {
        var held = Common(_caches.GetValueOrDefault(request.Cache) ?? [], prompt);
        if (request.Spill is not { } spill)
            return (held, held > 0 ? CacheOrigin.Hit : CacheOrigin.New);
        var (expected, stored) = (spill.Tokens.ToArray(), new List<int>());
        for (var i = 0; await spill.ReadAsync(i, CancellationToken.None) is { } chunk; i++)
        {
            var part = expected.Skip(i * ChunkTokens).Take(ChunkTokens).ToArray();
            if (part.Length == 0 || !chunk.Blob.Span.SequenceEqual(BlobOf(part)))
                break;
            stored.AddRange(part);
        }
        var restored = Common(stored, prompt);
        return restored > held ? (restored, CacheOrigin.Restored) : (held, held > 0 ? CacheOrigin.Hit : CacheOrigin.Recomputed);
    }

    static int Common(List<int> held, int[] prompt) => held.ToArray().AsSpan().CommonPrefixLength(prompt);

    void CheckProcess()
    {
        if (SimProcess.Running is { } running && running != process)
            process.World.Violate($"{running.Name} uses the engine of {process.Name}");
    }
}

/// <summary>The one reply that follows from a prompt: letters, spaces, code points of two bytes, and an end.</summary>
sealed class SimReply
{
    const int EndOneIn = 64;

    readonly ModelCard _model;
    ulong _state;
    int _last;

    public SimReply(ModelCard model, long seed, ReadOnlySpan<int> prompt)
    {
        (_model, _state) = (model, (ulong)seed * 0x9E3779B97F4A7C15);
        foreach (var token in prompt)
            Add(token);
    }

    /// <param name="replied">Tokens of the reply so far, as penalties count them.</param>
    public int Next(int replied)
    {
        var draw = _state ^ ((ulong)replied * 0xBF58476D1CE4E5B9);
        draw = (draw ^ (draw >> 29)) * 0x94D049BB133111EB;
        draw ^= draw >> 32;
        var token = _last == TokenOf(0xC3) ? TokenOf(0xA0 + (int)(draw % 32))
            : draw % EndOneIn == 0 ? _model.EosTokens[0]
            : (draw / EndOneIn) % 8 == 0 ? TokenOf(0xC3)
            : (draw / EndOneIn) % 8 == 1 ? TokenOf(' ')
            : TokenOf('a' + (int)(draw / 1024 % 26));
        Add(token);
        return token;
    }

    void Add(int token)
    {
        _last = token;
        _state = (_state ^ (ulong)token) * 1099511628211;
        _state ^= _state >> 31;
    }

    /// <summary>The tiny model's first 256 tokens are the bytes.</summary>
    static int TokenOf(int value) => value;
}
