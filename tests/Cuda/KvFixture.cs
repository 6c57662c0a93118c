using Hearth.Kernels;

namespace Hearth.Cuda.Tests;

/// <summary>Random sequences in shuffled blocks of a pool with the processor's layout, and attention over them in
/// doubles.</summary>
sealed class KvFixture
{
    public const int Layers = 2;
    public const int Layer = 1;

    readonly float[][] _keys, _values;

    /// <param name="type">f32, bf16 or f16.</param>
    /// <param name="sequences">Positions of each, the last Rows of them new.</param>
    /// <param name="stored">What the cache makes of a head's row, if it is narrower than the type.</param>
    public KvFixture(string type, int heads, int kvHeads, int headDim, (int Length, int Rows)[] sequences,
        Func<float[], float[]>? stored = null)
    {
        (Type, Heads, KvHeads, HeadDim) = (type, heads, kvHeads, headDim);
        ValueStride = (headDim + 31) & ~31;
        var blocks = sequences.Select(s => (s.Length + KvLayout.BlockTokens - 1) / KvLayout.BlockTokens).ToArray();
        var numbers = Enumerable.Range(0, blocks.Sum() + 2).ToArray();
        new Random(heads + headDim).Shuffle(numbers);
        Tables = numbers[..blocks.Sum()];
        Spans = new int[4 * sequences.Length];
        Pool = new float[(long)numbers.Length * Layers * kvHeads * HeadElements];
        Pool.AsSpan().Fill(float.NaN);
        (_keys, _values) = (new float[sequences.Length][], new float[sequences.Length][]);
        var (row, table) = (0, 0);
        for (var i = 0; i < sequences.Length; i++)
        {
            var (length, rows) = sequences[i];
            new[] { row, rows, length - rows, table }.CopyTo(Spans, 4 * i);
            _keys[i] = Data.Rounded(type, Data.Normal(10 * i + 1, length * kvHeads * headDim));
            _values[i] = Data.Rounded(type, Data.Normal(10 * i + 2, length * kvHeads * headDim));
            Fill(i, length, table);
            if (stored != null)
            {
                (_keys[i], _values[i]) =
                    ([.. _keys[i].Chunk(headDim).SelectMany(stored)], [.. _values[i].Chunk(headDim).SelectMany(stored)]);
            }
            (row, table) = (row + rows, table + blocks[i]);
        }
        Rows = row;
        Queries = Data.Rounded(type, Data.Normal(7, Rows * heads * headDim));
    }

    public string Type { get; }
    public int Heads { get; }
    public int KvHeads { get; }
    public int HeadDim { get; }
    public int ValueStride { get; }
    public int Rows { get; }
    public int HeadElements => KvLayout.BlockTokens * (HeadDim + ValueStride);
    public int[] Tables { get; }
    public int[] Spans { get; }
    public int Sequences => Spans.Length / 4;

    /// <summary>All blocks; what was never written is NaN.</summary>
    public float[] Pool { get; }

    /// <summary>Numbers of the cache's type, so that what tensor cores round away is not theirs.</summary>
    public float[] Queries { get; }

    /// <summary>Every position of every sequence: key and value rows before they were stored, and their places.</summary>
    public (float[] Keys, float[] Values, int[] Slots) Written()
    {
        var (keys, values, slots) = (new List<float>(), new List<float>(), new List<int>());
        for (var i = 0; i < Sequences; i++)
        {
            var length = Spans[4 * i + 1] + Spans[4 * i + 2];
            keys.AddRange(Data.Rounded(Type, Data.Normal(10 * i + 1, length * KvHeads * HeadDim)));
            values.AddRange(Data.Rounded(Type, Data.Normal(10 * i + 2, length * KvHeads * HeadDim)));
            slots.AddRange(Enumerable.Range(0, length).Select(p => Tables[Spans[4 * i + 3] + p / 32] * 32 + p % 32));
        }
        return ([.. keys], [.. values], [.. slots]);
    }

    public int PoolBlocks => Pool.Length / (Layers * KvHeads * HeadElements);

    public double[] Expected(AttentionSpec spec, float[]? slopes = null)
    {
        var output = new double[Rows * Heads * HeadDim];
        for (var i = 0; i < Sequences; i++)
        {
            for (var row = 0; row < Spans[4 * i + 1]; row++)
            {
                for (var head = 0; head < Heads; head++)
                    Attend(i, row, head, spec, slopes?[head] ?? 0, output);
            }
        }
        return output;
    }

    void Attend(int sequence, int row, int head, AttentionSpec spec, float slope, double[] output)
    {
        var (position, kvHead) = (Spans[4 * sequence + 2] + row, head / (Heads / KvHeads));
        var at = ((Spans[4 * sequence] + row) * Heads + head) * HeadDim;
        var weights = new double[position + 1];
        for (var j = 0; j <= position; j++)
        {
            weights[j] = double.NegativeInfinity;
            if (spec.Window > 0 && j <= position - spec.Window && j >= spec.SinkTokens)
                continue;
            var dot = 0d;
            for (var d = 0; d < HeadDim; d++)
                dot += (double)Queries[at + d] * _keys[sequence][(j * KvHeads + kvHead) * HeadDim + d];
            var score = dot * spec.Scale + slope * (j - position);
            weights[j] = spec.SoftCap > 0 ? spec.SoftCap * Math.Tanh(score / spec.SoftCap) : score;
        }
        var max = weights.Max();
        var sum = weights.Sum(w => Math.Exp(w - max));
        for (var j = 0; j <= position; j++)
        {
            for (var d = 0; d < HeadDim; d++)
                output[at + d] += Math.Exp(weights[j] - max) / sum * _values[sequence][(j * KvHeads + kvHead) * HeadDim + d];
        }
    }

    void Fill(int sequence, int length, int table)
    {
        for (var i = 0; i < length * KvHeads * HeadDim; i++)
        {
            var (position, head, d) = (i / (KvHeads * HeadDim), i / HeadDim % KvHeads, i % HeadDim);
            var start = ((Tables[table + position / KvLayout.BlockTokens] * Layers + Layer) * KvHeads + head) * HeadElements;
            var place = position % KvLayout.BlockTokens;
            Pool[start + d * KvLayout.BlockTokens + place] = _keys[sequence][i];
            var value = start + HeadDim * KvLayout.BlockTokens + place * ValueStride;
            Pool[value + d] = _values[sequence][i];
            if (d == 0)
                Pool.AsSpan(value + HeadDim, ValueStride - HeadDim).Clear();
        }
    }

    /// <summary>The step's last arguments of every attention kernel.</summary>
    public object?[] Shape(AttentionSpec spec, float[]? slopes) =>
        [Layer, Layers, Heads, KvHeads, HeadDim, ValueStride, spec.Scale, spec.Window, spec.SoftCap, spec.SinkTokens, slopes];
}
