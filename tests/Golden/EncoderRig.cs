using Hearth.Engine;
using Hearth.Engine.Checkpoints;
using Hearth.Engine.Devices;
using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Golden.Tests;

/// <summary>A model with an encoder, driven by hand.</summary>
sealed class EncoderRig : IDisposable
{
    const int RowsMax = 192, BlocksMax = 64;

    readonly Checkpoint _checkpoint;
    readonly KernelContext _context;
    readonly DecoderWeights _weights;
    readonly KvPool _pool;
    readonly CpuDevice _device;
    readonly Batch _batch = new(RowsMax, 8);
    int _nextBlock;

    public EncoderRig(string directory, KernelSet? kernels = null)
    {
        _context = new KernelContext(2, kernels);
        _checkpoint = Checkpoint.Open(directory);
        try
        {
            Spec = Family.DescribeEncoding(_checkpoint);
            _weights = new DecoderWeights(new WeightStore(_checkpoint, _context), Spec);
        }
        catch
        {
            _context.Dispose();
            _checkpoint.Dispose();
            throw;
        }
        _pool = new KvPool(new KvLayout(Spec.Layers.Count, Spec.KvHeads, Spec.HeadDim, DType.F32), BlocksMax);
        _device = new CpuDevice(_context, _pool, RowsMax);
        Encoder = Spec.Bidirectional ? new EncoderRunner(Spec, _weights, _device) : null;
        Decoder = Spec.Bidirectional ? null : new DecoderRunner(Spec, _weights, _device);
    }

    public ModelSpec Spec { get; }
    public EncoderRunner? Encoder { get; }
    public DecoderRunner? Decoder { get; }

    /// <summary>Of the last <see cref="Begin"/>.</summary>
    public BufferId Encoded { get; private set; }

    public int[] Blocks(int tokens)
    {
        var count = (tokens + KvLayout.BlockTokens - 1) / KvLayout.BlockTokens;
        return [.. Enumerable.Range((_nextBlock += count) - count, count)];
    }

    /// <summary>What the encoder gives for some whole sequences, row after row.</summary>
    public BufferId Encode(int[][] sequences, int[]? types = null)
    {
        _batch.Clear();
        foreach (var tokens in sequences)
            _batch.Add(tokens, 0, Blocks(tokens.Length), LogitsWanted.None);
        return Encoder!.Run(_batch, types);
    }

    /// <summary>Encodes prompts and leaves them for <see cref="Decode"/>.</summary>
    public CrossBlocks[] Begin(params int[][] prompts)
    {
        CrossBlocks[] cross = [.. prompts.Select(p => new CrossBlocks(Blocks(p.Length), p.Length))];
        _batch.Clear();
        for (var i = 0; i < prompts.Length; i++)
            _batch.Add(prompts[i], 0, cross[i].Blocks, LogitsWanted.None);
        Encoded = Decoder!.Encode(_batch);
        return cross;
    }

    public float[] Decode(params ReadOnlySpan<(int[] Tokens, int Start, int[] Blocks, CrossBlocks Cross)> sequences)
    {
        _batch.Clear();
        foreach (var (tokens, start, blocks, cross) in sequences)
            _batch.Add(tokens, start, blocks, LogitsWanted.All, cross: cross);
        var logits = new float[_batch.LogitRows * Spec.VocabularySize];
        Decoder!.Run(_batch, logits);
        return logits;
    }

    public float[] Read(BufferId buffer, int rows)
    {
        var values = new float[rows * buffer.Width];
        _device.Read(buffer, values);
        return values;
    }

    public void Dispose()
    {
        _device.Dispose();
        _pool.Dispose();
        _weights.Dispose();
        _context.Dispose();
        _checkpoint.Dispose();
    }
}
