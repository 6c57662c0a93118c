using System.Runtime.InteropServices;
using Hearth.Engine;
using Hearth.Engine.Devices;
using Hearth.Engine.Memory;
using Hearth.Engine.Models;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>A model, a small KV pool and a runner, driven by hand.</summary>
sealed class Rig : IDisposable
{
    public const int RowsMax = 256, BlocksMax = 64;

    readonly KernelContext _context;
    readonly Placement _placement;
    readonly Batch _batch = new(RowsMax, 8);
    readonly Stack<int> _free;

    /// <param name="shuffle">Seed of the order in which blocks are handed out; null for ascending.</param>
    /// <param name="place">On which device; the processor if null.</param>
    public Rig(string directory, DType kvType = DType.F32, int threads = 2, int? shuffle = null,
        Func<LoadedModel, Placement>? place = null, DType? quantize = null)
    {
        Model = LoadedModel.Load(directory, new ModelOptions { KvType = kvType, Threads = 1, Quantize = quantize });
        _context = new KernelContext(1);
        _placement = place?.Invoke(Model) ?? Placement.OnProcessor(Model, threads, BlocksMax, RowsMax);
        var blocks = Enumerable.Range(0, BlocksMax).Reverse().ToArray();
        if (shuffle is { } seed)
            new Random(seed).Shuffle(blocks);
        _free = new Stack<int>(blocks);
    }

    public LoadedModel Model { get; }
    public int Vocabulary => _placement.Runner.VocabularySize;
    public IKvBlocks Blocks => _placement.Blocks;

    public Sequence Begin() => new();

    /// <summary>One step over the new tokens of some sequences.</summary>
    /// <returns>The logits of all new tokens, sequence after sequence.</returns>
    public float[] Run(params ReadOnlySpan<(Sequence Sequence, int[] Tokens)> parts)
    {
        _batch.Clear();
        foreach (var (sequence, tokens) in parts)
        {
            while (sequence.Blocks.Count * KvLayout.BlockTokens < sequence.Length + tokens.Length)
                sequence.Blocks.Add(_free.Pop());
            _batch.Add(tokens, sequence.Length, sequence.Blocks.ToArray(), LogitsWanted.All);
            sequence.Length += tokens.Length;
        }
        var logits = new float[_batch.LogitRows * Vocabulary];
        _placement.Runner.Run(_batch, logits);
        return logits;
    }

    /// <summary>Logits of one prompt, computed in chunks of the given sizes, the last one repeated.</summary>
    public float[] Run(Sequence sequence, int[] tokens, params ReadOnlySpan<int> chunks)
    {
        var logits = new List<float>(tokens.Length * Vocabulary);
        for (var (from, i) = (0, 0); from < tokens.Length; i++)
        {
            var count = Math.Min(chunks.IsEmpty ? tokens.Length : chunks[Math.Min(i, chunks.Length - 1)], tokens.Length - from);
            logits.AddRange(Run((sequence, tokens[from..(from + count)])));
            from += count;
        }
        return [.. logits];
    }

    /// <summary>Prompt and greedy continuation: the ids, and the logits that each was chosen from.</summary>
    public (int[] Ids, float[] Logits) Greedy(int[] prompt, int count)
    {
        var sequence = Begin();
        var last = Run(sequence, prompt, RowsMax)[^Vocabulary..];
        var (ids, logits) = (new List<int>(), new List<float>());
        while (true)
        {
            ids.Add(Best(last));
            logits.AddRange(last);
            if (ids.Count == count)
            {
                sequence.Blocks.ForEach(_free.Push);
                return ([.. ids], [.. logits]);
            }
            last = Run((sequence, [ids[^1]]));
        }
    }

    public int Best(ReadOnlySpan<float> logits) => Argmax.Of(_context, logits);

    /// <summary>The id that the device itself chooses after a token.</summary>
    public int BestAfter(Sequence sequence, int token)
    {
        Assert.True(_placement.Runner.GivesBest);
        while (sequence.Blocks.Count * KvLayout.BlockTokens <= sequence.Length)
            sequence.Blocks.Add(_free.Pop());
        _batch.Clear();
        _batch.Add([token], sequence.Length++, sequence.Blocks.ToArray(), LogitsWanted.Last);
        _batch.WantsBest = true;
        _placement.Runner.Run(_batch, []);
        return _batch.Best[0];
    }

    /// <summary>A layer's keys or values as the reference stores them, [kvHeads, positions, dim].</summary>
    public (int Heads, float[] Numbers) Cache(Sequence sequence, int layer, bool keys)
    {
        var (layout, length) = (Model.KvLayout, sequence.Length);
        var dim = keys ? layout.HeadDim : layout.ValueDim;
        var result = new float[layout.KvHeads * length * dim];
        for (var from = 0; from < length; from += KvLayout.BlockTokens)
        {
            var count = Math.Min(KvLayout.BlockTokens, length - from);
            var bytes = new byte[layout.ExportBytes(count)];
            Blocks.Export(sequence.Blocks[from / KvLayout.BlockTokens], count, bytes);
            var all = MemoryMarshal.Cast<byte, float>(bytes);
            for (var head = 0; head < layout.KvHeads; head++)
            {
                var start = (layer * layout.KvHeads + head) * (layout.HeadDim + layout.ValueDim) * count;
                var part = all.Slice(start + (keys ? 0 : layout.HeadDim * count), dim * count);
                for (var i = 0; i < part.Length; i++)
                {
                    // Keys lie [headDim][positions], values [positions][valueDim].
                    var (position, d) = keys ? (i % count, i / count) : (i / dim, i % dim);
                    result[(head * length + from + position) * dim + d] = part[i];
                }
            }
        }
        return (layout.KvHeads, result);
    }

    /// <summary>The first tokens' keys and values, as they would be spilled.</summary>
    public byte[] Exported(Sequence sequence, int tokens)
    {
        var bytes = new byte[Model.KvLayout.ExportBytes(1) * tokens];
        for (var from = 0; from < tokens; from += KvLayout.BlockTokens)
        {
            var count = Math.Min(KvLayout.BlockTokens, tokens - from);
            Blocks.Export(sequence.Blocks[from / KvLayout.BlockTokens], count,
                bytes.AsSpan((int)Model.KvLayout.ExportBytes(1) * from, (int)Model.KvLayout.ExportBytes(count)));
        }
        return bytes;
    }

    /// <summary>A sequence with the first tokens of another rig's.</summary>
    public Sequence Adopt(Rig source, Sequence sequence, int tokens)
    {
        var (adopted, bytes, one) = (Begin(), source.Exported(sequence, tokens), (int)Model.KvLayout.ExportBytes(1));
        for (var from = 0; from < tokens; from += KvLayout.BlockTokens)
        {
            var count = Math.Min(KvLayout.BlockTokens, tokens - from);
            adopted.Blocks.Add(_free.Pop());
            Blocks.Import(adopted.Blocks[^1], count, bytes.AsSpan(one * from, one * count));
        }
        adopted.Length = tokens;
        return adopted;
    }

    /// <summary>A sequence that shares another's first tokens: whole blocks as they are, a copy of the last one.</summary>
    public Sequence Fork(Sequence sequence, int tokens)
    {
        var (fork, whole) = (Begin(), tokens / KvLayout.BlockTokens);
        fork.Blocks.AddRange(sequence.Blocks[..whole]);
        fork.Blocks.Add(_free.Pop());
        Blocks.CopyPrefix(sequence.Blocks[whole], fork.Blocks[^1], tokens % KvLayout.BlockTokens);
        fork.Length = tokens;
        return fork;
    }

    public void Dispose()
    {
        _placement.Dispose();
        _context.Dispose();
        Model.Dispose();
    }

    public sealed class Sequence
    {
        public List<int> Blocks { get; } = [];
        public int Length { get; set; }
    }
}
