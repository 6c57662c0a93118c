using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>A linear map's weights, mapped in their stored type, and its bias in f32 (empty if none).</summary>
readonly record struct LinearWeights(MatrixView Weights, float[] Bias)
{
    public LinearWeights Part(int from, int rows) =>
        new(Weights.SliceRows(from, rows), Bias.Length == 0 ? Bias : Bias[from..(from + rows)]);
}

readonly record struct NormWeights(float[] Weight, float[] Bias);

sealed record LayerWeights(
    int Window,
    NormWeights AttentionNorm,
    LinearWeights Query,
    LinearWeights Key,
    LinearWeights Value,
    LinearWeights AttentionOut,
    NormWeights MlpNorm,
    LinearWeights[] MlpIn,
    LinearWeights MlpOut);

/// <summary>A checkpoint's tensors in the places that a <see cref="ModelSpec"/> gives them; every shape is checked.
/// Matrices stay mapped, except those stored transposed, which are turned once.</summary>
sealed class DecoderWeights : IDisposable
{
    static readonly float[] None = [];

    readonly Checkpoint _checkpoint;
    readonly KernelContext _context;
    readonly HashSet<string> _used = new(StringComparer.Ordinal);
    readonly List<NativeBuffer> _turned = [];

    /// <param name="context">Used while constructing only.</param>
    /// <exception cref="CheckpointException">A tensor is missing, or its shape or type is not what the model asks
    /// for.</exception>
    public DecoderWeights(Checkpoint checkpoint, ModelSpec spec, KernelContext context)
    {
        (_checkpoint, _context) = (checkpoint, context);
        try
        {
            Embedding = new(Matrix(spec.Embedding, spec.VocabularySize, spec.Width), None);
            if (spec.PositionEmbedding is { } positions)
                PositionEmbedding = new(Matrix(positions, spec.ContextLength, spec.Width), None);
            Layers = [.. spec.Layers.Select(layer => Layer(spec, layer))];
            FinalNorm = Norm(spec, spec.FinalNorm);
            Head = spec.Head == spec.Embedding ? Embedding : new(Matrix(spec.Head, spec.VocabularySize, spec.Width), None);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public LinearWeights Embedding { get; }
    public LinearWeights? PositionEmbedding { get; }
    public LayerWeights[] Layers { get; }
    public NormWeights FinalNorm { get; }
    public LinearWeights Head { get; }

    /// <summary>Numbers in the tensors used, each counted once.</summary>
    public long Parameters { get; private set; }

    public void Dispose()
    {
        foreach (var buffer in _turned)
            buffer.Dispose();
    }

    LayerWeights Layer(ModelSpec spec, LayerSpec layer)
    {
        var qkv = Parts(layer.Qkv, spec.Width, [spec.QueryWidth, spec.KvWidth, spec.KvWidth]);
        return new(
            layer.Window,
            Norm(spec, layer.AttentionNorm),
            qkv[0],
            qkv[1],
            qkv[2],
            Linear(layer.AttentionOut, spec.QueryWidth),
            Norm(spec, layer.MlpNorm),
            Parts(layer.MlpIn, spec.Width, [.. Enumerable.Repeat(spec.MlpWidth, spec.MlpInWidth / spec.MlpWidth)]),
            Linear(layer.MlpOut, spec.MlpWidth));
    }

    /// <summary>Projections as they are named, or the parts of one that holds them all.</summary>
    LinearWeights[] Parts(LinearSpec[] specs, int inputs, int[] rows)
    {
        if (specs.Length == rows.Length)
            return [.. specs.Select(s => Linear(s, inputs))];
        var fused = Linear(specs.Single(), inputs);
        var from = 0;
        return [.. rows.Select(count => fused.Part((from += count) - count, count))];
    }

    LinearWeights Linear(LinearSpec spec, int inputs)
    {
        var name = $"{spec.Name}.weight";
        var weights = spec.Transposed ? Turn(Matrix(name, inputs, spec.Rows)) : Matrix(name, spec.Rows, inputs);
        return new(weights, spec.Bias ? Vector($"{spec.Name}.bias", spec.Rows) : None);
    }

    NormWeights Norm(ModelSpec spec, string name) => new(
        Vector($"{name}.weight", spec.Width),
        spec.Norm == NormKind.Layer ? Vector($"{name}.bias", spec.Width) : None);

    MatrixView Turn(MatrixView stored)
    {
        var buffer = new NativeBuffer(stored.Memory.Length);
        _turned.Add(buffer);
        return Transpose.Compute(_context, stored, buffer);
    }

    MatrixView Matrix(string name, int rows, int columns)
    {
        var (entry, data) = _checkpoint.Tensor(name, rows, columns);
        return new(data, TypeOf(entry), rows, columns);
    }

    float[] Vector(string name, int length)
    {
        var (entry, data) = _checkpoint.Tensor(name, length);
        return Numbers.ToSingles(_context, TypeOf(entry), data);
    }

    DType TypeOf(TensorEntry entry)
    {
        if (_used.Add(entry.Name))
            Parameters += entry.Elements;
        return entry.Type switch
        {
            StoredType.F32 => DType.F32,
            StoredType.F16 => DType.F16,
            StoredType.BF16 => DType.BF16,
            _ => throw new CheckpointException(_checkpoint.FileOf(entry.Name), entry.Name,
                $"is stored as {entry.Type}; served are F32, F16 and BF16. Convert the checkpoint to one of them."),
        };
    }
}
