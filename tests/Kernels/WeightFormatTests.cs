using Xunit;

namespace Hearth.Kernels.Tests;

public class WeightFormatTests
{
    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void EveryFormatWidensToWhatItsBytesSay(string set)
    {
        using var context = TestData.Context(set);
        foreach (var type in PlainWeights.Formats)
        {
            foreach (var columns in (int[])[1, 31, 512, 1000])
            {
                using var buffer = PlainWeights.Store(type, 5, 1, columns, out var memory);
                var actual = new float[columns];
                Numbers.Widen(context, type, memory.Bytes, actual);
                var expected = PlainWeights.Row(type, memory.Bytes, columns);
                for (var i = 0; i < columns; i++)
                    Assert.True((float)expected[i] == actual[i], $"{type} [{i}] of {columns}: {expected[i]} {actual[i]}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void EveryFinite8BitFloatIsExact(string set)
    {
        using var context = TestData.Context(set);
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        foreach (var (type, mantissa, bias) in ((DType, int, int)[])[(DType.F8E4M3, 3, 7), (DType.F8E5M2, 2, 15)])
        {
            var values = new float[256];
            Numbers.Widen(context, type, bytes, values);
            for (var i = 0; i < 256; i++)
            {
                var expected = (float)PlainWeights.F8((byte)i, mantissa, bias);
                Assert.True(float.IsFinite(expected) ? expected == values[i] : MathF.Abs(values[i]) > 448,
                    $"{type} {i:x2}: {values[i]}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void ProductsAgreeWithDoublesWhateverTheFormat(string set)
    {
        using var context = TestData.Context(set);
        foreach (var type in PlainWeights.Formats)
        {
            foreach (var (m, n, k) in ((int, int, int)[])[(1, 9, 32), (1, 5, 45), (3, 7, 256), (5, 13, 1300), (18, 31, 2048)])
            {
                var (a, c) = (TestData.Normal(1, m * k), new float[m * n]);
                using var buffer = PlainWeights.Store(type, 2, n, k, out var memory);
                MatMul.Compute(context, a, m, new Product(new MatrixView(memory, type, n, k), c));
                for (var i = 0; i < m * n; i++)
                {
                    var bytes = (int)type.RowBytes(k);
                    var w = PlainWeights.Row(type, memory.Bytes.Slice(i % n * bytes, bytes), k);
                    var (sum, size) = (0.0, 0.0);
                    for (var l = 0; l < k; l++)
                    {
                        sum += a[i / n * k + l] * w[l];
                        size += Math.Abs(a[i / n * k + l] * w[l]);
                    }
                    Assert.True(Math.Abs(sum - c[i]) <= 1e-6 * size, $"{type} [{m}, {n}, {k}] {i}: {sum} {c[i]} {size}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void RoundingToBlocksStaysWithinHalfAStep(string set)
    {
        using var context = TestData.Context(set, 2);
        foreach (var (columns, scale) in ((int, float)[])[(64, 1), (45, 0.02f), (96, 1e-5f), (32, 3e4f), (32, 0)])
        {
            const int Rows = 37;
            var values = TestData.Normal(9, Rows * columns, scale);
            using var source = TestData.Store(DType.F32, values, out var memory);
            foreach (var type in (DType[])[DType.Q8, DType.Q4])
            {
                using var target = new NativeBuffer(Rows * type.RowBytes(columns));
                var rounded = Quantization.Compute(context, new MatrixView(memory, DType.F32, Rows, columns), type, target);
                var error = 0.0;
                for (var row = 0; row < Rows; row++)
                {
                    var back = new float[columns];
                    Numbers.Widen(context, type, rounded.SliceRows(row, 1).Memory.Bytes, back);
                    foreach (var block in Enumerable.Range(0, columns).Chunk(32))
                    {
                        var largest = block.Max(i => MathF.Abs(values[row * columns + i]));
                        // f16 holds nothing smaller than 6e-8.
                        var step = (type == DType.Q8 ? largest / 127 * 1.004 : largest / 5) + 6e-8;
                        foreach (var i in block)
                        {
                            Assert.InRange(Math.Abs(back[i] - values[row * columns + i]), 0,
                                type == DType.Q8 ? step / 2 * 1.001 : step);
                        }
                        error += block.Sum(i => Math.Pow(back[i] - values[row * columns + i], 2));
                    }
                }
                if (scale > 1e-4)
                    Assert.InRange(Math.Sqrt(error / values.Length) / scale, 0, type == DType.Q8 ? 0.006 : 0.085);
            }
        }
    }

    [Fact]
    public void EveryWidthRoundsToTheSameBytes()
    {
        var values = TestData.Normal(3, 64 * 100, 0.05f);
        using var source = TestData.Store(DType.F32, values, out var memory);
        foreach (var type in (DType[])[DType.Q8, DType.Q4])
        {
            byte[] Of(string set)
            {
                using var context = TestData.Context(set);
                using var target = new NativeBuffer(64 * type.RowBytes(100));
                Quantization.Compute(context, new MatrixView(memory, DType.F32, 64, 100), type, target);
                return target.AsSpan<byte>().ToArray();
            }
            Assert.Equal(Of("scalar"), Of("256"));
            Assert.Equal(Of("scalar"), Of("512"));
        }
    }
}
