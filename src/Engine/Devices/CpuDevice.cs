using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>The processor itself: weights stay where they are mapped, operations run on the context's threads.</summary>
sealed class CpuDevice : IDevice
{
    readonly KernelContext _context;
    readonly KvPool _pool;
    readonly List<NativeBuffer> _buffers = [];
    readonly List<LinearWeights> _linears = [];
    readonly List<(NormKind Kind, float Epsilon, float[] Weight, float[] Bias, int Groups)> _norms = [];
    readonly List<AttentionSpec> _attentions = [];
    readonly List<CpuExperts> _experts = [];
    readonly CpuStep _step;

    /// <param name="context">Used by the caller of the device's methods only; the device does not dispose of it, nor of the
    /// pool.</param>
    public CpuDevice(KernelContext context, KvPool pool, int rowsMax)
    {
        (_context, _pool, RowsMax) = (context, pool, rowsMax);
        _step = new CpuStep(rowsMax);
    }

    public int RowsMax { get; }

    int IDevice.Rows => _step.Rows;

    public LinearId Load(MatrixView weights, float[] bias)
    {
        _linears.Add(new(weights, bias));
        return new(_linears.Count - 1, weights.Rows, weights.Columns);
    }

    public NormId Load(NormKind kind, float epsilon, float[] weight, float[] bias, int groups = 1)
    {
        _norms.Add((kind, epsilon, weight, bias, groups));
        return new(_norms.Count - 1);
    }

    public AttentionId Load(in AttentionSpec attention)
    {
        _attentions.Add(attention);
        return new(_attentions.Count - 1);
    }

    public ExpertsId Load(in RoutingShape routing, float[] corrections, ActivationKind activation, IReadOnlyList<Expert> experts)
    {
        _experts.Add(new CpuExperts(_context, routing, corrections, activation,
            [.. experts.Select(e => (e.In.Select(Linear).ToArray(), Linear(e.Out)))]));
        return new(_experts.Count - 1);
    }

    public BufferId Allocate(int width)
    {
        if ((long)RowsMax * width > int.MaxValue)
            throw new ArgumentException($"{RowsMax} rows of {width} are too many for a step: allow fewer tokens per batch");
        _buffers.Add(new NativeBuffer((long)RowsMax * width * sizeof(float)));
        return new(_buffers.Count - 1, width);
    }

    public void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines) => _step.Begin(batch, cosines, sines);

    public void Embed(LinearId table, BufferId target, float scale)
    {
        Embedding.Gather(_context, Linear(table).Weights, _step.Tokens, Rows(target));
        if (scale != 1)
            Elementwise.Scale(_context, Rows(target), scale);
    }

    public void AddPositions(LinearId table, BufferId target)
    {
        var added = _step.Scratch(target.Width);
        Embedding.Gather(_context, Linear(table).Weights, _step.Positions, added);
        Elementwise.Add(_context, Rows(target), added);
    }

    public void Norm(NormId norm, BufferId source, BufferId target)
    {
        var (kind, epsilon, weight, bias, groups) = _norms[norm.Index];
        switch (kind)
        {
            case NormKind.Rms:
                RmsNorm.Compute(_context, Rows(source), weight, epsilon, Rows(target), groups: groups);
                break;
            case NormKind.Layer:
                LayerNorm.Compute(_context, Rows(source), weight, bias, epsilon, Rows(target), groups);
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

    public void Clip(float limit, params ReadOnlySpan<BufferId> buffers)
    {
        foreach (var buffer in buffers)
            Elementwise.Clip(_context, Rows(buffer), limit);
    }

    public void Rotate(in Rotation rotation, params ReadOnlySpan<BufferId> buffers)
    {
        var shape = new RopeShape(rotation.HeadDim, rotation.Dim, rotation.Style, rotation.First, rotation.Column,
            _step.Cosines.Length / _step.Rows);
        foreach (var buffer in buffers)
            Rope.Apply(_context, Rows(buffer), shape, _step.RowNumbers, _step.Cosines, _step.Sines);
    }

    public void WriteKv(int layer, BufferId keys, BufferId values) =>
        KvWrite.Compute(_context, _pool, layer, Rows(keys), Rows(values), _step.Sequences, _step.Tables);

    public void Attend(int layer, AttentionId attention, BufferId queries, BufferId target) =>
        PagedAttention.Compute(_context, _attentions[attention.Index], Rows(queries), _pool, layer, _step.Sequences, _step.Tables,
            Rows(target));

    public void AttendAcross(int layer, AttentionId attention, BufferId queries, BufferId target) =>
        PagedAttention.Compute(_context, _attentions[attention.Index], Rows(queries), _pool, layer, _step.CrossSequences,
            _step.CrossTables, Rows(target));

    public void Activate(ActivationKind kind, BufferId gate, BufferId? up) =>
        Elementwise.Activate(_context, kind, Rows(gate), up is { } factor ? Rows(factor) : [], Rows(gate));

    public void Mix(ExpertsId experts, BufferId scores, BufferId source, BufferId target)
    {
        var loaded = _experts[experts.Index];
        loaded.Mix(Rows(scores), Rows(source), Rows(target), _step.Scratch(loaded.ScratchWidth));
    }

    public void Add(BufferId source, BufferId target, float scale = 1, BufferId? gate = null)
    {
        if (gate is { } gates)
            GatedAdd.Compute(_context, Rows(source), Rows(gates), scale, Rows(target));
        else
            Elementwise.AddScaled(_context, Rows(target), Rows(source), scale);
    }

    public void Read(BufferId buffer, Span<float> rows) => Rows(buffer).CopyTo(rows);

    public void Write(BufferId buffer, ReadOnlySpan<float> rows) => rows.CopyTo(Rows(buffer));

    public void KeepWanted(params ReadOnlySpan<BufferId> buffers)
    {
        foreach (var buffer in buffers)
            _step.MoveWantedUp(Rows(buffer), buffer.Width);
        _step.KeepWanted();
    }

    public void Logits(BufferId source, LinearId head, float scale, float cap, Span<float> logits)
    {
        var (weights, bias) = Linear(head);
        MatMul.Compute(_context, Rows(source), _step.Rows, new Product(weights, logits, bias));
        if (scale != 1)
            Elementwise.Scale(_context, logits, scale);
        if (cap > 0)
            Elementwise.SoftCap(_context, logits, cap);
    }

    public void Dispose()
    {
        foreach (var buffer in _buffers)
            buffer.Dispose();
    }

    Product Product(Projection output)
    {
        var (weights, bias) = Linear(output.Linear);
        return new(weights, Rows(output.Target), bias, output.Accumulate);
    }

    LinearWeights Linear(LinearId linear) => _linears[linear.Index];

    Span<float> Rows(BufferId buffer) => _buffers[buffer.Index].AsSpan<float>(0, _step.Rows * buffer.Width);
}
