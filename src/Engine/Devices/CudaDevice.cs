using Hearth.Cuda;
using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>A card: weights in their stored type, activations in f32, all operations on one stream. A decode step is recorded
/// once for its number of sequences and then replayed.</summary>
sealed class CudaDevice : IDevice
{
    readonly CudaKvPool _pool;
    readonly CudaOptions _options;
    readonly CudaStream _stream;
    readonly CudaOperations _operations;
    readonly CudaWeights _weights;
    readonly CudaBuffers _buffers;
    readonly CudaProducts _products;
    readonly CudaAttention _attention;
    readonly CudaStep _step;
    readonly CudaGraphs _graphs;
    readonly GrowingMemory _moved;
    readonly List<CudaLinear> _linears = [];
    readonly List<CudaNorm> _norms = [];
    CudaLogits? _logits;
    bool _isLoaded;

    /// <param name="pool">Not disposed of by the device.</param>
    /// <exception cref="CudaException">A library or memory is missing.</exception>
    public CudaDevice(CudaKvPool pool, int rowsMax, CudaOptions options)
    {
        (_pool, _options, RowsMax) = (pool, options, rowsMax);
        var card = pool.Card;
        _stream = new CudaStream(card.Context);
        _operations = card.Operations(_stream);
        _weights = new CudaWeights(card);
        _buffers = new CudaBuffers(card, _operations, rowsMax);
        _products = new CudaProducts(card, _stream, _operations, options);
        _attention = new CudaAttention(_stream, _operations, pool);
        _step = new CudaStep(card.Context);
        _graphs = new CudaGraphs(_stream);
        _moved = new GrowingMemory(_stream);
    }

    public int RowsMax { get; }

    public LinearId Load(MatrixView weights, float[] bias)
    {
        _linears.Add(_weights.Load(weights, bias));
        return new(_linears.Count - 1, weights.Rows, weights.Columns);
    }

    public NormId Load(NormKind kind, float epsilon, float[] weight, float[] bias)
    {
        _norms.Add(new CudaNorm(kind, epsilon, _weights.Vector(weight), _weights.Vector(bias)));
        return new(_norms.Count - 1);
    }

    public BufferId Allocate(int width) => _buffers.Allocate(width);

    public void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        _pool.Card.Context.MakeCurrent();
        if (!_isLoaded)
        {
            _weights.Finish();
            _isLoaded = true;
        }
        // A step that was broken off must not leave its recording open.
        _graphs.Begin(null, Moves);
        _step.Begin(batch, cosines, sines, _stream);
        _buffers.Rows = batch.Rows;
        var isRecorded = _options.Graphs && _step.IsDecode && batch.Rows is > 0 and <= Limits.CudaLogitRows;
        _graphs.Begin(isRecorded ? (batch.Rows, CudaAttention.PartsFor(_step.Spans.LengthMax)) : null, Moves);
    }

    public void Embed(LinearId table, LinearId? positions, BufferId target)
    {
        if (_graphs.IsReplaying)
            return;
        var (tokens, to) = (_linears[table.Index], _buffers.Written(target));
        _operations.Embed(tokens.Type, tokens.Weights, _step.Tokens, to, _step.Rows, target.Width, 1, accumulate: false);
        if (positions is { } learned)
        {
            var places = _linears[learned.Index];
            _operations.Embed(places.Type, places.Weights, _step.Positions, to, _step.Rows, target.Width, 1, accumulate: true);
        }
    }

    public void Norm(NormId norm, BufferId source, BufferId target)
    {
        if (_graphs.IsReplaying)
            return;
        var (kind, epsilon, weight, bias) = _norms[norm.Index];
        var (from, rows) = (_buffers.Read(source), _step.Rows);
        var type = _products.TakesNarrow(rows, WeightType) && target != source ? WeightType : DType.F32;
        var to = type == DType.F32 ? _buffers.Written(target) : _buffers.WrittenNarrow(target, type);
        if (kind == NormKind.Rms)
            _operations.RmsNorm(type, from, weight, to, rows, source.Width, epsilon, 1);
        else
            _operations.LayerNorm(type, from, weight, bias, to, rows, source.Width, epsilon, 1);
    }

    public void Project(BufferId source, params ReadOnlySpan<Projection> outputs)
    {
        if (_graphs.IsReplaying)
            return;
        Span<CudaMap> maps = stackalloc CudaMap[outputs.Length];
        for (var i = 0; i < outputs.Length; i++)
        {
            var (linear, target, accumulate) = outputs[i];
            var to = accumulate ? _buffers.Wide(target) : _buffers.Written(target);
            maps[i] = new CudaMap(_linears[linear.Index], to, accumulate);
        }
        _products.Multiply(_buffers, source, 0, _step.Rows, maps);
    }

    public void Rotate(BufferId queries, BufferId keys, int headDim)
    {
        if (_graphs.IsReplaying)
            return;
        _operations.Rope(isInterleaved: false, _step.Rows, new(
            _buffers.Wide(queries), _buffers.Wide(keys), _step.Cosines, _step.Sines,
            queries.Width / headDim, keys.Width / headDim, headDim, _step.Half, _step.Half));
    }

    public void WriteKv(int layer, BufferId keys, BufferId values)
    {
        if (_graphs.IsReplaying)
            return;
        var layout = _pool.Layout;
        _operations.WriteKv(layout.Type, _step.Rows, new(
            _buffers.Read(keys), _buffers.Read(values), _pool.Address, _step.Slots,
            layer, layout.Layers, layout.KvHeads, layout.HeadDim, layout.ValueStride));
        if (!_stream.IsCapturing)
            _pool.Written.Record(_stream);
    }

    public void Attend(int layer, in AttentionSpec spec, BufferId queries, BufferId target)
    {
        if (_graphs.IsReplaying)
            return;
        _attention.Attend(layer, spec, 0, _buffers.Read(queries), _step.Spans, _step.Tables, _buffers.Written(target));
    }

    public void Activate(MlpKind kind, BufferId gate, BufferId? up)
    {
        if (_graphs.IsReplaying)
            return;
        var (from, rows) = (_buffers.Read(gate), _step.Rows);
        var factor = up is { } second ? _buffers.Read(second) : 0;
        var type = _products.TakesNarrow(rows, WeightType) ? WeightType : DType.F32;
        var to = type == DType.F32 ? _buffers.Written(gate) : _buffers.WrittenNarrow(gate, type);
        _operations.Activate(type, from, factor, to, (long)rows * gate.Width, kind == MlpKind.GatedSilu ? 0 : 1);
    }

    public void KeepWanted(params ReadOnlySpan<BufferId> buffers)
    {
        var isAll = _step.WantedCount == _step.Rows;
        foreach (var buffer in isAll || _graphs.IsReplaying ? [] : buffers)
        {
            var (place, count) = (_buffers.Wide(buffer), _step.WantedCount);
            var bytes = (long)count * buffer.Width * sizeof(float);
            var aside = _moved.Reserve(bytes);
            _operations.GatherRows(place, _step.WantedRows, aside, count, buffer.Width);
            _stream.Copy(place, aside, bytes);
        }
        _step.KeepWanted();
        _buffers.Rows = _step.Rows;
    }

    public void Logits(BufferId source, LinearId head, Span<float> logits)
    {
        _logits ??= new CudaLogits(_pool.Card, _stream, head.Rows);
        for (var from = 0; from < _step.Rows; from += Limits.CudaLogitRows)
        {
            var count = Math.Min(Limits.CudaLogitRows, _step.Rows - from);
            if (!_graphs.IsReplaying)
            {
                _products.Multiply(_buffers, source, from, count, [new CudaMap(_linears[head.Index], _logits.Card, false)]);
                _logits.Download(count);
            }
            _graphs.End();
            _pool.Written.Record(_stream);
            _stream.Synchronize();
            _logits.Rows(count).CopyTo(logits[(from * head.Rows)..]);
        }
    }

    public void Dispose()
    {
        _pool.Card.Context.MakeCurrent();
        _stream.DropCapture();
        _stream.Synchronize();
        _graphs.Dispose();
        _logits?.Dispose();
        _moved.Dispose();
        _step.Dispose();
        _attention.Dispose();
        _products.Dispose();
        _buffers.Dispose();
        _weights.Dispose();
        _stream.Dispose();
    }

    int Moves => _step.Place + _products.Moves + _attention.Moves + _moved.Moves;

    /// <summary>Of the products; the first that is loaded is the embedding's.</summary>
    DType WeightType => _linears[0].Type;
}
