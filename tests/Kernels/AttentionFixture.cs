namespace Hearth.Kernels.Tests;

/// <summary>One random sequence over shuffled blocks of a two-layer pool, with attention in doubles beside it.</summary>
sealed class AttentionFixture : IDisposable
{
    readonly KernelContext _context;
    readonly int _heads, _kvHeads, _headDim;

    public AttentionFixture(KernelContext context, DType type, int heads, int kvHeads, int headDim, int tokens, int blockSeed)
    {
        (_context, _heads, _kvHeads, _headDim) = (context, heads, kvHeads, headDim);
        var blocks = (tokens + KvLayout.BlockTokens - 1) / KvLayout.BlockTokens;
        Pool = new KvPool(new KvLayout(2, kvHeads, headDim, type), blocks + 3);
        Table = [.. Enumerable.Range(0, blocks + 3)];
        new Random(blockSeed).Shuffle(Table);
        Table = Table[..blocks];
        (Keys, Values) = (TestData.Normal(1, tokens * kvHeads * headDim), TestData.Normal(2, tokens * kvHeads * headDim));
        Queries = TestData.Normal(3, tokens * heads * headDim);
    }

    public KvPool Pool { get; }

    public int[] Table { get; }

    public float[] Keys { get; }

    public float[] Values { get; }

    public float[] Queries { get; }

    public void Write(int start, int rows)
    {
        var width = _kvHeads * _headDim;
        KvWrite.Compute(_context, Pool, 1, Keys.AsSpan(start * width, rows * width), Values.AsSpan(start * width, rows * width),
            [new KvSpan(0, rows, start, 0)], Table);
    }

    public float[] Attend(AttentionSpec spec, int start, int rows)
    {
        var output = new float[rows * _heads * _headDim];
        PagedAttention.Compute(_context, spec, Queries.AsSpan(start * _heads * _headDim, output.Length), Pool, 1,
            [new KvSpan(0, rows, start, 0) { Keys = spec.All ? start + rows : 0 }], Table, output);
        return output;
    }

    public double[] Expected(AttentionSpec spec, int start, int rows)
    {
        var (keys, values) = (Stored(Keys), Stored(Values));
        var output = new double[rows * _heads * _headDim];
        for (var row = 0; row < rows * _heads; row++)
        {
            var (position, head) = (start + row / _heads, row % _heads / (_heads / _kvHeads));
            double Score(int j)
            {
                var dot = 0d;
                for (var d = 0; d < _headDim; d++)
                {
                    dot += (double)Queries[(start * _heads + row) * _headDim + d] * keys[(j * _kvHeads + head) * _headDim + d];
                }
                var score = dot * spec.Scale + Bias(spec, row % _heads, j - position);
                return spec.SoftCap > 0 ? spec.SoftCap * Math.Tanh(score / spec.SoftCap) : score;
            }
            var seen = Enumerable.Range(0, spec.All ? start + rows : position + 1)
                .Where(j => spec.Window == 0 || j > position - spec.Window || j < spec.SinkTokens).Select(j =>
                    (j, Math.Exp(Score(j)))).ToArray();
            var sum = seen.Sum(s => s.Item2);
            foreach (var (j, weight) in seen)
            {
                for (var d = 0; d < _headDim; d++)
                {
                    output[row * _headDim + d] += weight / sum * values[(j * _kvHeads + head) * _headDim + d];
                }
            }
        }
        return output;
    }

    public void Dispose() => Pool.Dispose();

    static double Bias(in AttentionSpec spec, int head, int distance)
    {
        var reach = spec.Biases is { } biases ? biases.Length / spec.Heads / 2 : 0;
        return (spec.Slopes?[head] ?? 0) * distance
            + (spec.Biases?[head * (2 * reach + 1) + Math.Clamp(distance, -reach, reach) + reach] ?? 0);
    }

    float[] Stored(float[] exact)
    {
        using var buffer = TestData.Store(Pool.Layout.Type, exact, out var memory);
        return TestData.Load(Pool.Layout.Type, memory);
    }
}
