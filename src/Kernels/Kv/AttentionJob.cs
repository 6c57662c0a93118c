using System.Runtime.InteropServices;

namespace Hearth.Kernels;

/// <summary>The items of an <see cref="AttentionPlan"/>.</summary>
readonly unsafe struct AttentionJob(AttentionShape shape, AttentionPlan plan, KvPool pool, float* queries, float* output,
    int* tables)
    : IChunkJob
{
    public void Execute(int chunk, int worker)
    {
        var end = Math.Min(plan.Items, (chunk + 1) * plan.ItemsPerChunk);
        for (var item = chunk * plan.ItemsPerChunk; item < end; item++)
        {
            Item(item, worker, item + 1 < end);
        }
    }

    void Item(int item, int worker, bool goesOn)
    {
        var sequence = *plan.Find(item);
        var (unit, head) = Math.DivRem(item - sequence.FirstItem, shape.Layout.KvHeads);
        var scratch = plan.WorkerScratch + (nint)worker * ((shape.WorkerFloats + 15) & ~15);
        var index = sequence.Split ? 0 : sequence.Units - 1 - unit;
        var tile = new AttentionTile(shape, pool, sequence.Span, head, index, tables, scratch, goesOn);
        tile.LoadQueries(queries);
        if (!sequence.Split)
        {
            tile.Running.Clear();
            for (var part = sequence.FirstPart; part <= tile.LastSeen / AttentionPlan.PartTokens; part++)
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

/// <summary>What an online softmax knows so far of some rows: [rows] maxima, [rows] sums, [rows, stride] weighted
/// values.</summary>
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

    /// <summary>From this head to the one that the same worker takes next, in bytes; 0 when there is none.</summary>
    readonly nint _nextHead;
    readonly float* _queries, _scores;

    public AttentionTile(in AttentionShape shape, KvPool pool, in KvSpan span, int head, int tile, int* tables, float* scratch,
        bool goesOn)
    {
        (_shape, _pool, _span, _head) = (shape, pool, span, head);
        _table = tables + span.TableOffset;
        _nextHead = goesOn && head + 1 < shape.Layout.KvHeads ? (nint)shape.Layout.HeadBytes : 0;
        _first = tile * shape.TilePositions;
        _positions = Math.Min(shape.TilePositions, span.Rows - _first);
        Rows = _positions * shape.Group;
        Running = new AttentionState(scratch, Rows, shape.ValueStride);
        Part = new AttentionState(scratch + shape.StateFloats(shape.RowsMax), Rows, shape.ValueStride);
        _scores = scratch + 2 * shape.StateFloats(shape.RowsMax);
        _queries = _scores + shape.RowsMax * AttentionPlan.PartTokens;
    }

    public int Rows { get; }

    public AttentionState Running { get; }

    public AttentionState Part { get; }

    int FirstPosition => _span.Start + _first;

    /// <summary>The last key that some row sees.</summary>
    public int LastSeen => _shape.Spec.All ? _span.Keys - 1 : FirstPosition + _positions - 1;

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
            var target = output + (nint)(RowOf(position) + member) * _shape.Layout.ValueDim;
            var values = Running.Values + (nint)row * _shape.ValueStride;
            _shape.Kernels.Map(MapKind.Scale, values, null, 1 / Running.Sum[row], target, _shape.Layout.ValueDim);
        }
    }

    /// <summary>Attends to one part of the keys, from nothing. Only blocks that some row sees are touched.</summary>
    public void Attend(int part, AttentionState state)
    {
        state.Clear();
        var first = part * AttentionPlan.PartTokens;
        var to = Math.Min(AttentionPlan.PartTokens, LastSeen + 1 - first);
        var from = Math.Clamp(_shape.LeastSeen(FirstPosition) - first, 0, to);
        var sinks = Math.Min(_shape.Spec.SinkTokens - first, to);
        for (var key = NextSeen(0, from, sinks); key < to; key = NextSeen(key + KvLayout.BlockTokens, from, sinks))
        {
            Score(first, key, NextSeen(key + KvLayout.BlockTokens, from, sinks), to);
        }
        var width = (to + KvLayout.BlockTokens - 1) & -KvLayout.BlockTokens;
        for (var row = 0; row < Rows; row++)
        {
            var position = FirstPosition + row / _shape.Group;
            AddBiases(row, position, first, width);
            Weigh(row, new VisibleKeys(_shape.Spec, _shape.Spec.All ? LastSeen : position, first), width, state);
        }
        for (var key = NextSeen(0, from, sinks); key < to; key = NextSeen(key + KvLayout.BlockTokens, from, sinks))
        {
            var next = NextSeen(key + KvLayout.BlockTokens, from, sinks);
            var (start, end) = (key < sinks ? key : Math.Max(key, from), Math.Min(key + KvLayout.BlockTokens, to));
            Sum(first, key, next < to ? next : key, start, end, state);
        }
    }

    /// <summary>First key of the next block, from key on, of which some row sees something.</summary>
    static int NextSeen(int key, int from, int sinks) => key < sinks ? key : Math.Max(key, from & -KvLayout.BlockTokens);

    /// <summary>Products of the queries and a block's keys.</summary>
    void Score(int first, int key, int next, int to)
    {
        var layout = _shape.Layout;
        var keys = Block(first + key);
        var ahead = next < to ? BlockAhead(first + next, keys) : keys;
        _shape.Kernels.AddProducts(layout.Type,
            new OuterArguments(_queries, layout.HeadDim, keys, KvLayout.BlockTokens, layout.HeadDim,
            _scores + key, AttentionPlan.PartTokens, KvLayout.BlockTokens, AttentionShape.Padded(Rows), true),
            ahead, keys + _nextHead);
    }

    /// <summary>What the distance between key and query adds to a row's scores.</summary>
    /// <param name="first">Position of the part's first key.</param>
    void AddBiases(int row, int position, int first, int width)
    {
        var scores = _scores + (nint)row * AttentionPlan.PartTokens;
        var head = _head * _shape.Group + row % _shape.Group;
        if (_shape.Spec.Slopes is { } slopes)
        {
            _shape.Kernels.AddRamp(scores, slopes[head], first - position, width);
        }
        if (_shape.Spec.Biases is not { } biases)
        {
            return;
        }
        var count = biases.Length / _shape.Spec.Heads;
        var reach = count / 2;
        var near = Math.Clamp(position - reach - first, 0, width);
        var far = Math.Clamp(position + reach + 1 - first, 0, width);
        fixed (float* all = biases)
        {
            var table = all + head * count;
            _shape.Kernels.Map(MapKind.AddScalar, scores, null, table[0], scores, near);
            var middle = table + (first + near - position + reach);
            _shape.Kernels.Map(MapKind.Add, scores + near, middle, 0, scores + near, far - near);
            _shape.Kernels.Map(MapKind.AddScalar, scores + far, null, table[count - 1], scores + far, width - far);
        }
    }

    void Weigh(int row, in VisibleKeys seen, int width, in AttentionState state)
    {
        var scores = _scores + (nint)row * AttentionPlan.PartTokens;
        if (seen.None)
        {
            new Span<float>(scores, width).Clear();
            return;
        }
        seen.Hide(new Span<float>(scores, width));
        _shape.Kernels.Weigh(scores, width, _shape.Spec.SoftCap, state.Max + row, state.Sum + row);
    }

    /// <summary>Adds a block's values of keys from..to-1, weighted.</summary>
    void Sum(int first, int key, int next, int from, int to, AttentionState state)
    {
        var layout = _shape.Layout;
        var values = Block(first + key) + layout.KeyBytesPerHead;
        var ahead = BlockAhead(first + next, values - layout.KeyBytesPerHead) + layout.KeyBytesPerHead;
        _shape.Kernels.AddProducts(layout.Type, new OuterArguments(_scores + from, AttentionPlan.PartTokens,
            values + (nint)(from - key) * layout.ValueStride * layout.Type.Size(), layout.ValueStride, to - from,
            state.Values, layout.ValueStride, layout.ValueStride, AttentionShape.Padded(Rows), false), ahead, values + _nextHead);
    }

    /// <summary>A block's keys of this head; its values lie behind them.</summary>
    byte* Block(int position)
    {
        var block = _table[position / KvLayout.BlockTokens];
        BatchCheck.Block(block, _pool);
        return _pool.Address + _shape.Layout.KeyOffset(block, _shape.Layer, _head);
    }

    /// <summary>The same for fetching ahead, where a block need not exist.</summary>
    byte* BlockAhead(int position, byte* otherwise)
    {
        var block = _table[position / KvLayout.BlockTokens];
        return (uint)block < (uint)_pool.Blocks ? _pool.Address + _shape.Layout.KeyOffset(block, _shape.Layer, _head) : otherwise;
    }

    /// <summary>Index of the first query head of this KV head at the tile's i-th position, counted over rows and heads.</summary>
    int RowOf(int i) => (_span.FirstRow + _first + i) * _shape.Spec.Heads + _head * _shape.Group;
}
