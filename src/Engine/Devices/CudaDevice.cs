using System.Numerics.Tensors;
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
    readonly List<(AttentionSpec Spec, ulong Slopes)> _attentions = [];
    readonly List<CudaExperts> _experts = [];
    readonly GrowingMemory _mixed;
    ulong _identity;
    CudaLogits? _logits;
    PinnedMemory? _passing;
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
        _attention = new CudaAttention(_stream, _operations, pool, options.Exact || options.Deterministic);
        _step = new CudaStep(card.Context, _attention.TileRows);
        _graphs = new CudaGraphs(_stream);
        (_moved, _mixed) = (new GrowingMemory(_stream), new GrowingMemory(_stream));
    }

    public int RowsMax { get; }

    public int Rows => _step.Rows;

    public LinearId Load(MatrixView weights, float[] bias)
    {
        _linears.Add(_weights.Load(weights, bias));
        return new(_linears.Count - 1, weights.Rows, weights.Columns);
    }

    public NormId Load(NormKind kind, float epsilon, float[] weight, float[] bias, int groups = 1)
    {
        _norms.Add(new CudaNorm(kind, epsilon, _weights.Vector(weight), _weights.Vector(bias), groups));
        return new(_norms.Count - 1);
    }

    public AttentionId Load(in AttentionSpec attention)
    {
        if (attention.All || attention.Biases is not null)
            throw new CudaException("This model is an encoder or has one: cards do not compute those yet. Use --device cpu.");
        _attentions.Add((attention, _weights.Vector(attention.Slopes ?? [])));
        return new(_attentions.Count - 1);
    }

    public ExpertsId Load(in RoutingShape routing, float[] corrections, ActivationKind activation, IReadOnlyList<Expert> experts)
    {
        var loaded = new CudaExperts(_weights, routing, corrections, activation,
            [.. experts.Select(e => (e.In.Select(l => _linears[l.Index]).ToArray(), _linears[e.Out.Index]))]);
        _experts.Add(loaded);
        return new(_experts.Count - 1);
    }

    public BufferId Allocate(int width) => _buffers.Allocate(width);

    public void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        _pool.Card.Context.MakeCurrent();
        if (!_isLoaded)
        {
            Prepare();
            _isLoaded = true;
        }
        // A step that was broken off must not leave its recording open.
        _graphs.Begin(null, Moves);
        _step.Begin(batch, cosines, sines, _stream);
        _buffers.Rows = batch.Rows;
        var isRecorded = _options.Graphs && _step.IsDecode && batch.Rows is > 0 and <= Limits.CudaLogitRows;
        var parts = CudaAttention.PartsFor(_step.Spans.LengthMax);
        _graphs.Begin(isRecorded ? new(batch.Rows, parts, batch.WantsBest) : null, Moves);
    }

    public void Embed(LinearId table, BufferId target, float scale)
    {
        if (Skips())
            return;
        var (tokens, to) = (_linears[table.Index], _buffers.Written(target));
        _operations.Embed(tokens.Type, tokens.Weights, _step.Tokens, to, _step.Rows, target.Width, scale, accumulate: false);
    }

    public void AddPositions(LinearId table, BufferId target)
    {
        if (Skips())
            return;
        var places = _linears[table.Index];
        _operations.Embed(
            places.Type, places.Weights, _step.Positions, _buffers.Wide(target), _step.Rows, target.Width, 1, accumulate: true);
    }

    public void Norm(NormId norm, BufferId source, BufferId target)
    {
        if (Skips())
            return;
        var (kind, epsilon, weight, bias, groups) = _norms[norm.Index];
        var (from, rows) = (_buffers.Read(source), _step.Rows);
        var type = _products.TakesNarrow(rows, WeightType) && target != source ? WeightType : DType.F32;
        var to = type == DType.F32 ? _buffers.Written(target) : _buffers.WrittenNarrow(target, type);
        if (kind == NormKind.Rms)
            _operations.RmsNorm(type, from, weight, to, rows, source.Width, epsilon, groups);
        else
            _operations.LayerNorm(type, from, weight, bias, to, rows, source.Width, epsilon, groups);
    }

    public void Project(BufferId source, params ReadOnlySpan<Projection> outputs)
    {
        if (Skips())
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

    public void Clip(float limit, params ReadOnlySpan<BufferId> buffers)
    {
        foreach (var buffer in Skips() ? [] : buffers)
            _operations.Clip(_buffers.Wide(buffer), limit, (long)_step.Rows * buffer.Width);
    }

    public void Rotate(in Rotation rotation, params ReadOnlySpan<BufferId> buffers)
    {
        if (Skips())
            return;
        var (first, column) = ((ulong)rotation.First * sizeof(float), (ulong)rotation.Column * sizeof(float));
        for (var i = 0; i < buffers.Length; i += 2)
        {
            var (one, two) = (buffers[i], i + 1 < buffers.Length ? buffers[i + 1] : default);
            _operations.Rope(rotation.Style == RopeStyle.Interleaved, _step.Rows, new(
                _buffers.Wide(one) + first, two.Width == 0 ? 0 : _buffers.Wide(two) + first, _step.Cosines + column,
                _step.Sines + column, one.Width / rotation.HeadDim, two.Width / rotation.HeadDim, rotation.HeadDim,
                rotation.Dim / 2, _step.Half));
        }
    }

    public void WriteKv(int layer, BufferId keys, BufferId values)
    {
        if (Skips())
            return;
        var layout = _pool.Layout;
        _operations.WriteKv(layout.Type, _step.Rows, new(
            _buffers.Read(keys), _buffers.Read(values), _pool.Address, _step.Slots,
            layer, layout.Layers, layout.KvHeads, layout.HeadDim, layout.ValueStride));
        if (!_stream.IsCapturing)
            _pool.Written.Record(_stream);
    }

    public void Attend(int layer, AttentionId attention, BufferId queries, BufferId target)
    {
        if (Skips())
            return;
        var (spec, slopes) = _attentions[attention.Index];
        _attention.Attend(
            layer, spec, slopes, _buffers.Read(queries), _step.Spans, _step.Tables, _buffers.Written(target));
    }

    public void Activate(ActivationKind kind, BufferId gate, BufferId? up)
    {
        if (Skips())
            return;
        var (from, rows) = (_buffers.Read(gate), _step.Rows);
        var factor = up is { } second ? _buffers.Read(second) : 0;
        var type = _products.TakesNarrow(rows, WeightType) ? WeightType : DType.F32;
        var to = type == DType.F32 ? _buffers.Written(gate) : _buffers.WrittenNarrow(gate, type);
        _operations.Activate(type, from, factor, to, (long)rows * gate.Width, (int)kind);
    }

    public void Mix(ExpertsId experts, BufferId scores, BufferId source, BufferId target)
    {
        if (Skips())
            return;
        _experts[experts.Index].Mix(
            _operations, _mixed, _identity, _buffers.Read(scores), _buffers.Read(source), _buffers.Written(target), _step.Rows);
    }

    public void Add(BufferId source, BufferId target, float scale = 1, BufferId? gate = null)
    {
        if (Skips())
            return;
        var gates = gate is { } buffer ? _buffers.Read(buffer) : 0;
        _operations.AddRows(_buffers.Read(source), gates, _buffers.Wide(target), _step.Rows, target.Width, scale);
    }

    public void Read(BufferId buffer, Span<float> rows)
    {
        _pool.Card.Context.MakeCurrent();
        var passing = Passing(rows.Length);
        _stream.Download(passing, 0, _buffers.Read(buffer), rows.Length * (long)sizeof(float));
        _stream.Synchronize();
        passing.Span<float>(0, rows.Length).CopyTo(rows);
    }

    public void Write(BufferId buffer, ReadOnlySpan<float> rows)
    {
        _pool.Card.Context.MakeCurrent();
        var passing = Passing(rows.Length);
        rows.CopyTo(passing.Span<float>(0, rows.Length));
        _stream.Upload(_buffers.Written(buffer), passing, 0, rows.Length * (long)sizeof(float));
        // The memory is used again.
        _stream.Synchronize();
    }

    public void KeepWanted(params ReadOnlySpan<BufferId> buffers)
    {
        var isAll = _step.WantedCount == _step.Rows;
        foreach (var buffer in isAll || Skips() ? [] : buffers)
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

    public void Logits(BufferId source, LinearId head, float scale, float cap, Span<float> logits)
    {
        var results = Results(head);
        for (var from = 0; from < _step.Rows; from += Limits.CudaLogitRows)
        {
            var count = Math.Min(Limits.CudaLogitRows, _step.Rows - from);
            if (!Skips())
            {
                Multiply(source, from, count, head, results);
                results.Download(count);
            }
            EndStep();
            results.Rows(count).CopyTo(logits[(from * head.Rows)..]);
        }
        Finish(logits, scale, cap);
    }

    public bool GivesBest => true;

    public void Best(BufferId source, LinearId head, Span<int> ids)
    {
        var results = Results(head);
        for (var from = 0; from < _step.Rows; from += Limits.CudaLogitRows)
        {
            var count = Math.Min(Limits.CudaLogitRows, _step.Rows - from);
            if (!Skips())
            {
                Multiply(source, from, count, head, results);
                _operations.Argmax(results.Card, results.Ids, count, head.Rows);
                results.DownloadIds(count);
            }
            EndStep();
            results.BestOf(count).CopyTo(ids[from..]);
        }
    }

    CudaLogits Results(LinearId head) => _logits ??= new CudaLogits(_pool.Card, _stream, head.Rows);

    void Multiply(BufferId source, int first, int count, LinearId head, CudaLogits results) =>
        _products.Multiply(_buffers, source, first, count, [new CudaMap(_linears[head.Index], results.Card, false)]);

    /// <summary>Waits for what was queued, which is recorded or replayed if it can be.</summary>
    void EndStep()
    {
        _graphs.End();
        _pool.Written.Record(_stream);
        _stream.Synchronize();
    }

    /// <summary>At the beginning of every operation: whether a recording has it already. Another card's may have come
    /// before.</summary>
    bool Skips()
    {
        _pool.Card.Context.MakeCurrent();
        return _graphs.IsReplaying;
    }

    PinnedMemory Passing(int numbers)
    {
        if (_passing is null || _passing.Length < numbers * (long)sizeof(float))
        {
            _passing?.Dispose();
            _passing = new PinnedMemory(_pool.Card.Context, numbers * (long)sizeof(float));
        }
        return _passing;
    }

    static void Finish(Span<float> logits, float scale, float cap)
    {
        if (scale != 1)
            TensorPrimitives.Multiply(logits, scale, logits);
        if (cap <= 0)
            return;
        TensorPrimitives.Divide(logits, cap, logits);
        TensorPrimitives.Tanh(logits, logits);
        TensorPrimitives.Multiply(logits, cap, logits);
    }

    public void Dispose()
    {
        _pool.Card.Context.MakeCurrent();
        _stream.DropCapture();
        _stream.Synchronize();
        _graphs.Dispose();
        _logits?.Dispose();
        _passing?.Dispose();
        _moved.Dispose();
        _mixed.Dispose();
        _step.Dispose();
        _attention.Dispose();
        _products.Dispose();
        _buffers.Dispose();
        _weights.Dispose();
        _stream.Dispose();
    }

    /// <summary>Once, when all weights are under way.</summary>
    void Prepare()
    {
        var pairs = _experts.Select(e => e.PairsOf(RowsMax)).DefaultIfEmpty(0).Max();
        _identity = pairs == 0 ? 0 : _weights.Numbers<int>([.. Enumerable.Range(0, pairs)]);
        _weights.Finish();
    }

    int Moves => _step.Place + _products.Moves + _attention.Moves + _moved.Moves + _mixed.Moves;

    /// <summary>Of the products; the first that is loaded is the embedding's.</summary>
    DType WeightType => _linears[0].Type;
}
