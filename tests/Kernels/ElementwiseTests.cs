using Xunit;

namespace Hearth.Kernels.Tests;

public class ElementwiseTests
{
    static readonly int[] _lengths = [0, 1, 7, 8, 9, 15, 16, 17, 31, 1031, 40_009];

    static Dictionary<ActivationKind, Func<double, double>> Activations => new()
    {
        [ActivationKind.Silu] = v => v / (1 + Math.Exp(-v)),
        [ActivationKind.GeluTanh] = GeluTanh,
        [ActivationKind.GeluErf] = v => v * Normal(v),
        [ActivationKind.Relu] = v => Math.Max(v, 0),
        [ActivationKind.ReluSquared] = v => Math.Pow(Math.Max(v, 0), 2),
    };

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void FunctionsAgreeWithDoublesAtEveryLength(string set)
    {
        using var context = TestData.Context(set);
        foreach (var n in _lengths)
        {
            var (x, up, y) = (TestData.Normal(1, n, 3), TestData.Normal(2, n), new float[n]);
            foreach (var (kind, expected) in Activations)
            {
                Elementwise.Activate(context, kind, x, [], y);
                Close(x, y, expected);
                Elementwise.Activate(context, kind, x, up, y);
                for (var i = 0; i < n; i++)
                {
                    Assert.Equal(expected(x[i]) * up[i], y[i], 2e-6 * (1 + Math.Abs(x[i])));
                }
            }
            x.CopyTo(y, 0);
            Elementwise.Clip(context, y, 1.5f);
            Close(x, y, v => Math.Clamp(v, -1.5, 1.5));
            x.CopyTo(y, 0);
            Elementwise.SoftCap(context, y, 3);
            Close(x, y, v => 3 * Math.Tanh(v / 3));
            x.CopyTo(y, 0);
            Elementwise.AddScaled(context, y, x, 0.25f);
            Close(x, y, v => 1.25 * v);
            Elementwise.Scale(context, y, 0);
            Elementwise.Add(context, y, x);
            Assert.Equal(x, y);
        }
    }

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void SoftmaxAndItsLogarithmAgreeWithDoubles(string set)
    {
        using var context = TestData.Context(set);
        foreach (var n in _lengths.Skip(1))
        {
            var x = TestData.Normal(n, n, 5);
            x[n / 2] = n > 1 ? float.NegativeInfinity : 1;
            var sum = x.Sum(v => Math.Exp(v));
            var log = new float[n];
            Softmax.Log(context, x, log);
            Assert.Equal(Math.Log(sum), Softmax.LogSumExp(context, x), 4e-6);
            var soft = x.ToArray();
            Softmax.Compute(context, soft);
            for (var i = 0; i < n; i++)
            {
                Assert.Equal(Math.Exp(x[i]) / sum, soft[i], 1e-5);
                Assert.Equal(x[i] - Math.Log(sum), log[i], 1e-5);
            }
            Assert.Equal(n > 1 ? 0 : 1, soft[n / 2]);
            Assert.Equal(Array.IndexOf(x, x.Max()), Argmax.Of(context, x));
        }
        Assert.Equal(-1, Argmax.Of(context, []));
    }

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void NormsAgreeWithDoubles(string set)
    {
        using var context = TestData.Context(set);
        foreach (var (rows, n) in ((int, int)[])[(1, 1), (3, 15), (2, 16), (5, 17), (40, 1031)])
        {
            var (x, w, b, y) = (TestData.Normal(1, rows * n), TestData.Normal(2, n), TestData.Normal(3, n), new float[rows * n]);
            RmsNorm.Compute(context, x, w, 1e-5f, y, 1);
            Rows(x, y, n, (v, _, square, i) => v[i] / Math.Sqrt(square + 1e-5) * (w[i] + 1));
            LayerNorm.Compute(context, x, w, b, 1e-5f, y);
            Rows(x, y, n, (v, mean, square, i) => (v[i] - mean) / Math.Sqrt(square - mean * mean + 1e-5) * w[i] + b[i]);
            if (n % 4 != 0)
            {
                continue;
            }
            // Four heads of one row are four rows, with weights of their own.
            var (whole, heads) = (new float[rows * n], new float[rows * n]);
            RmsNorm.Compute(context, x, w, 1e-5f, heads, groups: 4);
            LayerNorm.Compute(context, x, w, b, 1e-5f, whole, groups: 4);
            for (var part = 0; part < rows * 4; part++)
            {
                var (from, of) = (part * (n / 4), part % 4 * (n / 4));
                var (xs, ws, bs) = (x[from..(from + n / 4)], w[of..(of + n / 4)], b[of..(of + n / 4)]);
                var expected = new float[n / 4];
                RmsNorm.Compute(context, xs, ws, 1e-5f, expected);
                Assert.Equal(expected, heads[from..(from + n / 4)]);
                LayerNorm.Compute(context, xs, ws, bs, 1e-5f, expected);
                Assert.Equal(expected, whole[from..(from + n / 4)]);
            }
        }
    }

    static void Rows(float[] x, float[] y, int n, Func<double[], double, double, int, double> expected)
    {
        for (var row = 0; row < x.Length / n; row++)
        {
            var values = Array.ConvertAll(x[(row * n)..((row + 1) * n)], v => (double)v);
            var (mean, square) = (values.Average(), values.Average(v => v * v));
            for (var i = 0; i < n; i++)
            {
                Assert.Equal(expected(values, mean, square, i), y[row * n + i], 5e-6);
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void RotaryEmbeddingTurnsThePairsOfBothStyles(string set)
    {
        using var context = TestData.Context(set);
        foreach (var (headDim, rotary) in ((int, int)[])[(2, 2), (24, 24), (80, 32), (128, 128)])
        {
            var half = rotary / 2;
            int[] positions = [4, 0, 6];
            var angles = TestData.Normal(1, 7 * half);
            float[] cos = [.. angles.Select(MathF.Cos)], sin = [.. angles.Select(MathF.Sin)];
            var x = TestData.Normal(2, 3 * 2 * headDim);
            foreach (var style in Enum.GetValues<RopeStyle>())
            {
                var y = x.ToArray();
                Rope.Apply(context, y, new RopeShape(headDim, rotary, style), positions, cos, sin);
                for (var i = 0; i < y.Length; i++)
                {
                    var d = i % headDim;
                    var (pair, second) = style == RopeStyle.Half ? (d % half, d >= half) : (d / 2, d % 2 == 1);
                    var other = style == RopeStyle.Half ? (second ? i - half : i + half) : (second ? i - 1 : i + 1);
                    var at = positions[i / (2 * headDim)] * half + Math.Min(pair, half - 1);
                    var expected = d >= rotary ? x[i] : second ? x[i] * cos[at] + x[other] * sin[at]
                        : x[i] * cos[at] - x[other] * sin[at];
                    Assert.Equal(expected, y[i], 1e-6);
                }
            }
        }
    }

    static double GeluTanh(double v) => 0.5 * v * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v)));

    /// <summary>Phi(x) by its series.</summary>
    static double Normal(double x)
    {
        var (term, sum) = (x, x);
        for (var i = 1; i < 300; i++)
        {
            sum += term *= x * x / (2 * i + 1);
        }
        return 0.5 + Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI) * sum;
    }

    static void Close(float[] x, float[] y, Func<double, double> expected)
    {
        for (var i = 0; i < x.Length; i++)
        {
            Assert.Equal(expected(x[i]), y[i], 1e-6 + 2e-7 * Math.Max(Math.Abs(x[i]), Math.Abs(expected(x[i]))));
        }
    }
}
