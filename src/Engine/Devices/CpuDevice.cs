using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>The processor itself: weights stay where they are mapped, operations run on the context's threads.</summary>
sealed class CpuDevice : IDevice
{
    readonly KernelContext _context;
    readonly KvPool _pool;
    readonly List<NativeBuffer> _buffers = [];
    readonly List<(MatrixView Weights, float[] Bias)> _linears = [];
    readonly List<(NormKind Kind, float Epsilon, float[] Weight, float[] Bias)> _norms = [];
    readonly CpuStep _step;

    /// <param name="context">Used by the caller of the device's methods only; the device does not dispose of it, nor of the
    /// pool.</param>
    public CpuDevice(KernelContext context, KvPool pool, int rowsMax)
    {
        (_context, _pool, RowsMax) = (context, pool, rowsMax);
        _step = new CpuStep(rowsMax);
    }

    public int RowsMax { get; }

    public LinearId Load(MatrixView weights, float[] bias)
    {
        _linears.Add((weights, bias));
        return new(_linears.Count - 1, weights.Rows, weights.Columns);
    }

    public NormId Load(NormKind kind, float epsilon, float[] weight, float[] bias)
    {
        _norms.Add((kind, epsilon, weight, bias));
        return new(_norms.Count - 1);
    }

    public BufferId Allocate(int width)
    {
        if ((long)RowsMax * width > int.MaxValue)
            throw new ArgumentException($"{RowsMax} rows of {width} are too many for a step: allow fewer tokens per batch");
        _buffers.Add(new NativeBuffer((long)RowsMax * width * sizeof(float)));
        return new(_buffers.Count - 1, width);
    }

    public void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines) => _step.Begin(batch, cosines, sines);

    public void Embed(LinearId table, LinearId? positions, BufferId target)
    {
        Embedding.Gather(_context, Weights(table), _step.Tokens, Rows(target));
        if (positions is not { } learned)
            return;
        var added = _step.Scratch(target.Width);
        Embedding.Gather(_context, Weights(learned), _step.Positions, added);
        Elementwise.Add(_context, Rows(target), added);
    }

    public void Norm(NormId norm, BufferId source, BufferId target)
    {
        var (kind, epsilon, weight, bias) = _norms[norm.Index];
        switch (kind)
        {
            case NormKind.Rms:
                RmsNorm.Compute(_context, Rows(source), weight, epsilon, Rows(target));
                break;
            case NormKind.Layer:
                LayerNorm.Compute(_context, Rows(source), weight, bias, epsilon, Rows(target));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(norm), kind, "no such norm");
        }
    }

    public void Project(BufferId source, params ReadOnlySpan<Projection> outputs)
    {
        var a = Rows(source);
        switch (outputs)
        {
            case [var first]:
                MatMul.Compute(_context, a, _step.Rows, Product(first));
                break;
            case [var first, var second]:
                MatMul.Compute(_context, a, _step.Rows, Product(first), Product(second));
                break;
            case [var first, var second, var third]:
                MatMul.Compute(_context, a, _step.Rows, Product(first), Product(second), Product(third));
                break;
            default:
                throw new ArgumentException("a projection has one to three outputs", nameof(outputs));
        }
    }

    public void Rotate(BufferId queries, BufferId keys, int headDim)
    {
        foreach (var buffer in (ReadOnlySpan<BufferId>)[queries, keys])
        {
            Rope.Apply(_context, Rows(buffer), buffer.Width / headDim, headDim, _step.RowNumbers,
                _step.Cosines, _step.Sines, 2 * (_step.Cosines.Length / _step.Rows));
        }
    }

    public void WriteKv(int layer, BufferId keys, BufferId values) =>
        KvWrite.Compute(_context, _pool, layer, Rows(keys), Rows(values), _step.Sequences, _step.Tables);

    public void Attend(int layer, in AttentionSpec spec, BufferId queries, BufferId target) =>
        PagedAttention.Compute(_context, spec, Rows(queries), _pool, layer, _step.Sequences, _step.Tables, Rows(target));

    public void Activate(MlpKind kind, BufferId gate, BufferId? up)
    {
        switch (kind)
        {
            case MlpKind.GatedSilu:
                Elementwise.SwiGlu(_context, Rows(gate), Rows(up!.Value), Rows(gate));
                break;
            case MlpKind.GeluTanh:
                Elementwise.GeluTanh(_context, Rows(gate), Rows(gate));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such MLP");
        }
    }

    public void KeepWanted(params ReadOnlySpan<BufferId> buffers)
    {
        foreach (var buffer in buffers)
            _step.MoveWantedUp(Rows(buffer), buffer.Width);
        _step.KeepWanted();
    }

    public void Logits(BufferId source, LinearId head, Span<float> logits)
    {
        var (weights, bias) = _linears[head.Index];
        MatMul.Compute(_context, Rows(source), _step.Rows, new Product(weights, logits, bias));
    }

    public void Dispose()
    {
        foreach (var buffer in _buffers)
            buffer.Dispose();
    }

    Product Product(Projection output)
    {
        var (weights, bias) = _linears[output.Linear.Index];
        return new(weights, Rows(output.Target), bias, output.Accumulate);
    }

    MatrixView Weights(LinearId table) => _linears[table.Index].Weights;

    Span<float> Rows(BufferId buffer) => _buffers[buffer.Index].AsSpan<float>(0, _step.Rows * buffer.Width);
}
