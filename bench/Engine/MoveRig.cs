using System.Diagnostics;
using System.Threading.Channels;
using Hearth.Contracts;
using Hearth.Engine.Memory;
using Hearth.Engine.Models;
using Hearth.Kernels;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Engine.Bench;

/// <summary>Two engines of one model in one process, and one reply that goes to and fro between them. Its history is made up:
/// computing 8,000 tokens would take longer than all moves.</summary>
sealed class MoveRig : IAsyncDisposable
{
    public static readonly CacheId Cache = new("bench");
    const string Scope = "bench";

    readonly LoadedModel _model;
    readonly TokenEngine[] _engines;
    readonly List<int> _known = [];
    readonly KvBlob _format;
    ChannelReader<TokenChunk>? _chunks;
    CancellationTokenSource? _suspension;

    public MoveRig(string directory, DType kvType, int history)
    {
        _model = LoadedModel.Load(directory, new ModelOptions { KvType = kvType });
        var bytes = _model.KvLayout.BlockBytes * ((history + 1024) / KvLayout.BlockTokens);
        var options = new EngineOptions { KvMemoryBytes = bytes, MaxSequences = 4, HostMemoryBytes = 0 };
        TokenEngine Create() => TokenEngine.Create(_model, options, NullLogger.Instance, TimeProvider.System);
        _engines = [Create(), Create()];
        _format = new KvBlob(Card.Fingerprint, KvLayout.BlockTokens, checked((int)_model.KvLayout.ExportBytes(1)), 0);
    }

    public ModelCard Card => _model.Card;
    public int TokenBytes => checked((int)_model.KvLayout.ExportBytes(1));
    public TokenEngine Engine(int index) => _engines[index];
    public ReadOnlyMemory<int> Known => _known.ToArray();

    /// <summary>Gives an engine a cache of so many tokens, all keys and values small numbers.</summary>
    public async Task InventAsync(int engine, int tokens)
    {
        var random = new Random(1);
        _known.Clear();
        _known.AddRange(Enumerable.Range(0, tokens + 1).Select(_ => random.Next(Card.VocabularySize)));
        for (var first = 0; first < tokens; first += Limits.ChunkTokens)
        {
            await ImportAsync(engine, Invent(random, first, Math.Min(tokens, first + Limits.ChunkTokens)));
        }
    }

    /// <summary>Starts or goes on with the reply.</summary>
    public void Submit(int engine, int maxTokens)
    {
        _suspension = new CancellationTokenSource();
        var request = new TokenRequest
        {
            Cache = Cache,
            Scope = Scope,
            Prompt = Known,
            Sampling = new SamplingOptions { Temperature = 0 },
            MaxTokens = maxTokens,
            Suspension = _suspension.Token,
        };
        var error = _engines[engine].TrySubmit(request, out _chunks);
        if (error != TurnError.None)
        {
            throw new InvalidOperationException($"The engine refused: {error}.");
        }
    }

    public void Suspend() => _suspension!.Cancel();

    /// <returns>When each of the next tokens came, in milliseconds; ends early when the reply is suspended.</returns>
    public async Task<List<double>> ReadAsync(int tokens)
    {
        var times = new List<double>();
        while (times.Count < tokens && await _chunks!.WaitToReadAsync())
        {
            while (times.Count < tokens && _chunks.TryRead(out var chunk))
            {
                Note(chunk, times);
            }
        }

        return times;
    }

    /// <summary>Copies what is held from a token on.</summary>
    /// <returns>Where the next copy goes on, and bytes copied.</returns>
    public async Task<(int Next, long Bytes)> CopyAsync(int from, int first, List<double> times)
    {
        var bytes = 0L;
        while (await _engines[from].ExportAsync(Cache, first, default) is { } part)
        {
            while (_known.Count < first + part.Tokens && _chunks!.TryRead(out var chunk))
            {
                Note(chunk, times);
            }

            await ImportAsync(1 - from, part);
            bytes += part.Blob.Length;
            first += part.Tokens / KvLayout.BlockTokens * KvLayout.BlockTokens;
            if (part.Tokens % KvLayout.BlockTokens > 0)
            {
                break;
            }
        }

        return (first, bytes);
    }

    /// <returns>Milliseconds from the request to its first token; the request ends there and its cache is kept.</returns>
    public async Task<double> FirstTokenAsync(int engine, ICacheSpill? spill)
    {
        var start = Stopwatch.GetTimestamp();
        var request = new TokenRequest
        {
            Cache = Cache,
            Scope = Scope,
            Prompt = Known,
            Sampling = new SamplingOptions { Temperature = 0 },
            MaxTokens = 1,
            Spill = spill,
        };
        _engines[engine].TrySubmit(request, out var chunks);
        while (await chunks!.ReadAsync() is not { Kind: TokenChunkKind.Token })
        {
        }

        var millis = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        await chunks.ReadAsync();
        return millis;
    }

    public async Task<ICacheSpill> SpillAsync(int engine, int tokens)
    {
        var spill = new MemorySpill(_known.GetRange(0, tokens).ToArray());
        for (var first = 0; await _engines[engine].ExportAsync(Cache, first, default) is { } part; first += Limits.ChunkTokens)
        {
            spill.Chunks.Add(part.Blob);
        }

        return spill;
    }

    sealed class MemorySpill(int[] tokens) : ICacheSpill
    {
        public List<ReadOnlyMemory<byte>> Chunks { get; } = [];
        public ReadOnlyMemory<int> Tokens => tokens;

        public ValueTask<CacheChunk?> ReadAsync(int chunk, CancellationToken cancellationToken) =>
            new(new CacheChunk(chunk * Limits.ChunkTokens, Limits.ChunkTokens, Chunks[chunk]));
    }

    public async ValueTask DisposeAsync()
    {
        await _engines[0].DisposeAsync();
        await _engines[1].DisposeAsync();
        _model.Dispose();
    }

    void Note(in TokenChunk chunk, List<double> times)
    {
        if (chunk.Kind == TokenChunkKind.Token)
        {
            _known.Add(chunk.Token);
            times.Add(Stopwatch.GetTimestamp() * 1e3 / Stopwatch.Frequency);
        }
        else if (chunk is { Kind: TokenChunkKind.Admitted } && chunk.CachedTokens != _known.Count - 1)
        {
            throw new InvalidOperationException(
                $"{chunk.CachedTokens} of {_known.Count - 1} tokens were cached: {chunk.CacheReason}");
        }
    }

    public async Task ImportAsync(int engine, CacheChunk part)
    {
        var tokens = _known.GetRange(0, part.First + part.Tokens).ToArray();
        if (await _engines[engine].ImportAsync(Cache, Scope, tokens, part.First, part.Blob, default) is { } reason)
        {
            throw new InvalidOperationException($"An import was refused: {reason}.");
        }
    }

    CacheChunk Invent(Random random, int first, int end)
    {
        var blob = new byte[_format.SizeOf(end - first, KvContent.Exact)];
        var payload = KvBlob.Payload(blob);
        if (_model.KvLayout.Type == DType.F32)
        {
            foreach (ref var value in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(payload))
            {
                value = random.NextSingle() - 0.5f;
            }
        }
        else
        {
            // 0x3000 to 0x33FF: about 0.2 in f16, tiny in bf16.
            foreach (ref var value in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(payload))
            {
                value = (ushort)(0x3000 | random.Next(0x400));
            }
        }

        _format.Seal(blob, first, _known.GetRange(0, end).ToArray(), KvContent.Exact);
        return new CacheChunk(first, end - first, blob);
    }
}
