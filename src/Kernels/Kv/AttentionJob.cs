using System.Runtime.InteropServices;

namespace Hearth.Kernels;

/// <summary>The items of an <see cref="AttentionPlan"/>.</summary>
readonly unsafe struct AttentionJob(AttentionShape shape, AttentionPlan plan, KvPool pool, float* queries, float* output, int* tables)
    : IChunkJob
{
    public void Execute(int chunk, int worker)
    {
        var sequence = *plan.Find(chunk);
        var (unit, head) = Math.DivRem(chunk - sequence.FirstItem, shape.Layout.KvHeads);
        var scratch = plan.WorkerScratch + (nint)worker * ((shape.WorkerFloats + 15) & ~15);
        var tile = new AttentionTile(shape, pool, sequence.Span, head, sequence.Split ? 0 : sequence.Units - 1 - unit, tables, scratch);
        tile.LoadQueries(queries);
        if (!sequence.Split)
        {
            tile.Running.Clear();
            for (var part = sequence.FirstPart; part <= tile.LastPosition / AttentionPlan.PartTokens; part++)
            {
                tile.Attend(part, tile.Part);
                tile.Running.Merge(shape.Kernels, tile.Part);
            }
            tile.Store(output);
            return;
        }
        var floats = shape.StateFloats(tile.Rows);
        var states = plan.Partials + sequence.FirstPartial + (nint)head * sequence.Units * floats;
        tile.Attend(sequence.FirstPart + unit, new AttentionState(states + (nint)unit * floats, tile.Rows, shape.ValueStride));
        if (Interlocked.Increment(ref plan.Counters[sequence.FirstCounter + head]) == sequence.Units)
        {
            tile.Running.Clear();
            for (var part = 0; part < sequence.Units; part++)
            {
                tile.Running.Merge(shape.Kernels, new AttentionState(states + (nint)part * floats, tile.Rows, shape.ValueStride));
            }
            tile.Store(output);
        }
    }
}

/// <summary>What an online softmax knows so far of some rows: [rows] maxima, [rows] sums, [rows, stride] weighted values.</summary>
readonly unsafe struct AttentionState(float* memory, int rows, int stride)
{
    readonly int _padded = AttentionShape.Padded(rows);

    public float* Max => memory;

    public float* Sum => memory + _padded;

    public float* Values => memory + 2 * _padded;

    public void Clear()
    {
        new Span<float>(Max, _padded).Fill(float.NegativeInfinity);
        NativeMemory.Clear(Sum, (nuint)(_padded * (stride + 1) * sizeof(float)));
    }

    /// <summary>Joins a later part of the keys.</summary>
    public void Merge(KernelSet kernels, in AttentionState later)
    {
        for (var row = 0; row < rows; row++)
        {
            var max = MathF.Max(Max[row], later.Max[row]);
            if (float.IsNegativeInfinity(max))
            {
                continue;
            }
            var (keep, add) = (MathF.Exp(Max[row] - max), MathF.Exp(later.Max[row] - max));
            Max[row] = max;
            Sum[row] = Sum[row] * keep + later.Sum[row] * add;
            kernels.Blend(Values + (nint)row * stride, keep, later.Values + (nint)row * stride, add, stride);
        }
    }
}

/// <summary>The query rows of one KV head at some consecutive positions: row = position x group + head in the group.</summary>
readonly unsafe struct AttentionTile
{
    readonly AttentionShape _shape;
    readonly KvPool _pool;
    readonly KvSpan _span;
    readonly int _head, _first, _positions;
    readonly int* _table;
    readonly float* _queries, _scores;

    public AttentionTile(in AttentionShape shape, KvPool pool, in KvSpan span, int head, int tile, int* tables, float* scratch)
    {
        (_shape, _pool, _span, _head) = (shape, pool, span, head);
        _table = tables + span.TableOffset;
        _first = tile * shape.TilePositions;
        _positions = Math.Min(shape.TilePositions, span.Rows - _first);
        Rows = _positions * shape.Group;
        Running = new AttentionState(scratch, Rows, shape.ValueStride);
        Part = new AttentionState(scratch + shape.StateFloats(shape.RowsMax), Rows, shape.ValueStride);
        _scores = scratch + 2 * shape.StateFloats(shape.RowsMax);
        _queries = _scores + shape.RowsMax * KvLayout.BlockTokens;
    }

    public int Rows { get; }

    public AttentionState Running { get; }

    public AttentionState Part { get; }

    int FirstPosition => _span.Start + _first;

    public int LastPosition => FirstPosition + _positions - 1;

    /// <summary>Copies the tile's queries, scaled; padding rows are zero.</summary>
    public void LoadQueries(float* queries)
    {
        var floats = _shape.Group * _shape.Layout.HeadDim;
        for (var i = 0; i < _positions; i++)
        {
            var source = queries + (nint)RowOf(i) * _shape.Layout.HeadDim;
            _shape.Kernels.Map(MapKind.Scale, source, null, _shape.Spec.Scale, _queries + i * floats, floats);
        }
        var padding = AttentionShape.Padded(Rows) - Rows;
        new Span<float>(_queries + Rows * _shape.Layout.HeadDim, padding * _shape.Layout.HeadDim).Clear();
    }

    /// <summary>output = values / sum.</summary>
    public void Store(float* output)
    {
        for (var row = 0; row < Rows; row++)
        {
            var (position, member) = Math.DivRem(row, _shape.Group);
            var target = output + (nint)(RowOf(position) + member) * _shape.Layout.HeadDim;
            var values = Running.Values + (nint)row * _shape.ValueStride;
            _shape.Kernels.Map(MapKind.Scale, values, null, 1 / Running.Sum[row], target, _shape.Layout.HeadDim);
        }
    }

    /// <summary>Attends to one part of the keys, from nothing.</summary>
    public void Attend(int part, AttentionState state)
    {
        state.Clear();
        var end = Math.Min((part + 1) * AttentionPlan.PartTokens, LastPosition + 1);
        for (var first = part * AttentionPlan.PartTokens; first < end; first += KvLayout.BlockTokens)
        {
            var to = Math.Min(KvLayout.BlockTokens, LastPosition + 1 - first);
            var from = _shape.Spec.SinkTokens > first ? 0 : Math.Max(0, _shape.LeastSeen(FirstPosition) - first);
            if (from < to)
            {
                AttendBlock(first, from, to, state);
            }
        }
    }

    /// <summary>Keys first+from..first+to-1 are seen by some row, and are the only ones touched.</summary>
    void AttendBlock(int first, int from, int to, AttentionState state)
    {
        var layout = _shape.Layout;
        var padded = AttentionShape.Padded(Rows);
        var block = _table[first / KvLayout.BlockTokens];
        BatchCheck.Block(block, _pool);
        var keys = _pool.Address + layout.KeyOffset(block, _shape.Layer, _head);
        var values = keys + layout.KeyBytesPerHead;
        new Span<float>(_scores, padded * KvLayout.BlockTokens).Clear();
        _shape.Kernels.AddProducts(layout.Type, new OuterArguments(_queries, layout.HeadDim, keys, KvLayout.BlockTokens, layout.HeadDim,
            _scores, KvLayout.BlockTokens, KvLayout.BlockTokens, padded), values);
        for (var row = 0; row < Rows; row++)
        {
            JoinRow(row, new VisibleKeys(_shape.Spec, FirstPosition + row / _shape.Group, first), state);
        }
        _shape.Kernels.AddProducts(layout.Type, new OuterArguments(_scores + from, KvLayout.BlockTokens,
            values + (nint)from * layout.ValueStride * layout.Type.Size(), layout.ValueStride, to - from,
            state.Values, layout.ValueStride, layout.ValueStride, padded), NextKeys(first, values));
    }

    void JoinRow(int row, in VisibleKeys seen, in AttentionState state)
    {
        var scores = _scores + row * KvLayout.BlockTokens;
        if (seen.None)
        {
            new Span<float>(scores, KvLayout.BlockTokens).Clear();
            return;
        }
        var keep = _shape.Kernels.JoinSoftmax(scores, seen, _shape.Spec.SoftCap, state.Max + row, state.Sum + row);
        if (keep != 1)
        {
            var values = state.Values + (nint)row * _shape.ValueStride;
            _shape.Kernels.Map(MapKind.Scale, values, null, keep, values, _shape.ValueStride);
        }
    }

    byte* NextKeys(int first, byte* otherwise)
    {
        var next = first / KvLayout.BlockTokens + 1;
        return next * KvLayout.BlockTokens <= LastPosition && (uint)_table[next] < (uint)_pool.Blocks
            ? _pool.Address + _shape.Layout.KeyOffset(_table[next], _shape.Layer, _head)
            : otherwise;
    }

    /// <summary>Index of the first query head of this KV head at the tile's i-th position, counted over rows and heads.</summary>
    int RowOf(int i) => (_span.FirstRow + _first + i) * _shape.Spec.Heads + _head * _shape.Group;
}
