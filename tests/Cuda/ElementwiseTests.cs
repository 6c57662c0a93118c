using Xunit;

namespace Hearth.Cuda.Tests;

public sealed class ElementwiseTests
{
    public static TheoryData<string> Types => Data.Types;

    [Theory]
    [MemberData(nameof(Types))]
    public void EmbeddingTakesRowsAndAddsPositions(string type)
    {
        foreach (var width in (int[])[1, 40, 131])
        {
            var table = Data.Normal(1, 9 * width);
            int[] ids = [3, 0, 8, 3];
            var first = Data.Normal(2, ids.Length * width);
            var target = new Output<float>(first);
            KernelRun.Launch($"embed_{type}", (ids.Length, 1, 1), 128, 0, Data.Stored(type, table), ids, target, width, 0.5f, 1);
            var rounded = Data.Rounded(type, table);
            double[] expected = [.. first.Select((x, i) => x + 0.5 * rounded[ids[i / width] * width + i % width])];
            Data.Near(expected, target.Values, 1e-6);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void NumbersAreRoundedToTheNearestAndReadBackExactly(string type)
    {
        float[] values = [.. Data.Normal(1, 1000, 30), 0f, -0f, 1e-30f, 6e-8f, 65504f, 1f + 1f / 256, 1f + 3f / 256, 1f / 3];
        foreach (var count in (int[])[values.Length, values.Length / 8 * 8])
        {
            var narrow = Data.Output(type, count);
            KernelRun.Launch($"narrow_{type}", (3, 1, 1), 128, 0, values[..count], narrow, (long)count);
            Assert.Equal(Data.Rounded(type, values[..count]), Data.Values(type, narrow));
            var wide = new Output<float>(count);
            KernelRun.Launch($"widen_{type}", (2, 1, 1), 128, 0, Data.Stored(type, values[..count]), wide, (long)count);
            Assert.Equal(Data.Rounded(type, values[..count]), wide.Values);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void ActivationsAreWhatTheirNamesSay(string type)
    {
        Func<double, double>[] functions =
        [
            x => x / (1 + Math.Exp(-x)),
            x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
            x => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
            x => Math.Max(x, 0),
            x => Math.Max(x, 0) * Math.Max(x, 0),
            x => 1 / (1 + Math.Exp(-x)),
        ];
        foreach (var count in (int[])[777, 1024])
        {
            var (gate, up) = (Data.Normal(1, count, 3), Data.Normal(2, count));
            for (var kind = 0; kind < functions.Length; kind++)
            {
                foreach (var factor in (float[]?[])[up, null])
                {
                    var target = Data.Output(type, count);
                    KernelRun.Launch($"activate_{type}", (2, 1, 1), 128, 0, gate, factor, target, (long)count, kind);
                    double[] expected = [.. gate.Select((x, i) => functions[kind](x) * (factor?[i] ?? 1))];
                    Data.Near(expected, Data.Values(type, target), 2 * Data.Epsilon(type));
                }
            }
        }
    }

    [Fact]
    public void RowsAreGatheredAndCombined()
    {
        foreach (var width in (int[])[5, 64])
        {
            var source = Data.Normal(1, 6 * width);
            int[] ids = [5, 0, 0, 2];
            var gathered = new Output<float>(ids.Length * width);
            KernelRun.Launch("gather_rows", (ids.Length, 1, 1), 128, 0, source, ids, gathered, width);
            Assert.Equal(ids.SelectMany(id => source.Skip(id * width).Take(width)), gathered.Values!);

            int[] pairs = [5, 1, 0, -1];
            float[] weights = [0.25f, 0.5f, 2, 9];
            var combined = new Output<float>(2 * width);
            KernelRun.Launch("combine_rows", (2, 1, 1), 128, 0, source, pairs, weights, combined, 2, width, 0);
            double Part(int pair, int column) =>
                pairs[pair] < 0 ? 0 : weights[pair] * (double)source[pairs[pair] * width + column];
            double[] expected =
                [.. Enumerable.Range(0, 2 * width)
                    .Select(i => Part(i / width * 2, i % width) + Part(i / width * 2 + 1, i % width))];
            Data.Near(expected, combined.Values, 1e-6);
        }
    }

    [Fact]
    public void ABiasIsAddedToEveryRow()
    {
        foreach (var width in (int[])[7, 24])
        {
            var (x, bias) = (Data.Normal(1, 5 * width), Data.Normal(2, width));
            var target = new Output<float>(x);
            KernelRun.Launch("add_bias", (1, 1, 1), 128, 0, target, bias, 5L * width, width);
            Assert.Equal(x.Select((v, i) => v + bias[i % width]), target.Values!);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void NormsAreThoseOfDoubles(string type)
    {
        foreach (var width in (int[])[3, 64, 515, 1024])
        {
            const int Rows = 3;
            var (x, weight, bias) = (Data.Normal(1, Rows * width, 2), Data.Normal(2, width), Data.Normal(3, width));
            var (rms, layer) = (Data.Output(type, x.Length), Data.Output(type, x.Length));
            KernelRun.Launch($"rms_norm_{type}", (Rows, 1, 1), 128, 0, x, weight, rms, width, 1e-5f, 1);
            KernelRun.Launch($"layer_norm_{type}", (Rows, 1, 1), 128, 0, x, weight, bias, layer, width, 1e-5f, 1);
            var (expectedRms, expectedLayer) = (new double[x.Length], new double[x.Length]);
            for (var i = 0; i < x.Length; i++)
            {
                var row = x.Skip(i / width * width).Take(width).Select(v => (double)v).ToArray();
                var (mean, column) = (row.Average(), i % width);
                expectedRms[i] = x[i] / Math.Sqrt(row.Average(v => v * v) + 1e-5) * weight[column];
                expectedLayer[i] = (x[i] - mean) / Math.Sqrt(row.Average(v => (v - mean) * (v - mean)) + 1e-5) * weight[column]
                    + bias[column];
            }
            Data.Near(expectedRms, Data.Values(type, rms), 3 * Data.Epsilon(type));
            Data.Near(expectedLayer, Data.Values(type, layer), 3 * Data.Epsilon(type));
        }
    }

    [Fact]
    public void ArgmaxIsTheFirstOfTheLargest()
    {
        foreach (var width in (int[])[1, 33, 5000])
        {
            var logits = Data.Normal(1, 5 * width);
            logits[width - 1] = logits[width / 2] = 9;
            logits.AsSpan(width, width).Fill(float.NegativeInfinity);
            logits[2 * width + width / 3] = float.NaN;
            logits[3 * width + width / 3] = float.PositiveInfinity;
            logits.AsSpan(4 * width, width).Fill(-0f);
            logits[5 * width - 1] = 0f;
            var target = new Output<int>(5);
            KernelRun.Launch("argmax", (5, 1, 1), 1024, 0, logits, target, width);
            Assert.Equal([width / 2, -1, -1, -1, 0], target.Values!);
        }
    }

    /// <summary>By its series.</summary>
    static double Erf(double x)
    {
        if (Math.Abs(x) > 5)
            return Math.Sign(x);
        var (sum, term) = (x, x);
        for (var n = 1; n < 200; n++)
        {
            term *= -x * x / n;
            sum += term / (2 * n + 1);
        }
        return sum * 2 / Math.Sqrt(Math.PI);
    }
}
