using Xunit;

namespace Hearth.Kernels.Tests;

public class KvPoolTests
{
    [Fact]
    public void AnExportedPrefixImportsIntoAnotherBlockBitForBit()
    {
        foreach (var (type, headDim) in ((DType, int)[])[(DType.BF16, 64), (DType.F32, 24), (DType.F16, 33)])
        {
            using var context = TestData.Context("512", 1);
            var layout = new KvLayout(3, 2, headDim, type);
            using var pool = new KvPool(layout, 4);
            Write(context, pool, 2, 32);
            foreach (var tokens in (int[])[0, 1, 17, 32])
            {
                var bytes = new byte[layout.ExportBytes(tokens)];
                pool.Export(2, tokens, bytes);
                pool.Clear(1);
                pool.Import(1, tokens, bytes);
                var back = new byte[bytes.Length];
                pool.Export(1, tokens, back);
                Assert.Equal(bytes, back);
                Assert.Throws<ArgumentException>(() => pool.Export(2, tokens, new byte[bytes.Length + 1]));
            }
            pool.CopyBlock(2, 3);
            var (original, copy) = (new byte[layout.ExportBytes(32)], new byte[layout.ExportBytes(32)]);
            pool.Export(2, 32, original);
            pool.Export(3, 32, copy);
            Assert.Equal(original, copy);
            Assert.Throws<ArgumentOutOfRangeException>(() => pool.CopyBlock(0, 4));
        }
    }

    [Theory]
    [InlineData(DType.F32, 64)]
    [InlineData(DType.F16, 33)]
    [InlineData(DType.BF16, 24)]
    public void RoundingTo8BitsIsOffByHalfAStepAtMost(DType type, int headDim)
    {
        using var context = TestData.Context("512", 1);
        var layout = new KvLayout(3, 2, headDim, type);
        foreach (var tokens in (int[])[0, 1, 17, 32])
        {
            var count = 12 * headDim * tokens;
            var random = new Random(tokens);
            var values = new float[count];
            for (var i = headDim; i < count; i++)
            {
                values[i] = (random.NextSingle() - 0.5f) * (1 + (i % 7));
            }

            var (exact, back) = (new byte[layout.ExportBytes(tokens)], new byte[layout.ExportBytes(tokens)]);
            var int8 = new byte[KvInt8.Bytes(layout, tokens)];
            Numbers.Narrow(context, type, values, exact);
            Numbers.Widen(context, type, exact, values);
            KvInt8.Quantize(layout, tokens, exact, int8);
            KvInt8.Dequantize(layout, tokens, int8, back);
            var restored = new float[count];
            Numbers.Widen(context, type, back, restored);
            var rounding = type switch { DType.F32 => 1e-6f, DType.F16 => 1e-3f, _ => 8e-3f };
            for (var i = 0; i < count; i++)
            {
                var row = Row(i, headDim, tokens);
                var largest = row.Max(at => MathF.Abs(values[at]));
                Assert.InRange(MathF.Abs(values[i] - restored[i]), 0, (largest * 0.5f / 127) + (largest * rounding));
            }
        }
    }

    /// <summary>All numbers with the same scale: a column of keys or a row of values.</summary>
    static IEnumerable<int> Row(int at, int headDim, int tokens)
    {
        var (head, within) = Math.DivRem(at, headDim * tokens);
        var start = head * headDim * tokens;
        return head % 2 == 0
            ? Enumerable.Range(0, headDim).Select(d => start + (d * tokens) + (within % tokens))
            : Enumerable.Range(0, headDim).Select(d => start + (within / headDim * headDim) + d);
    }

    [Fact]
    public void TheSameTokensExportTheSameBytesFromAnyBlock()
    {
        using var context = TestData.Context("512", 1);
        using var pool = new KvPool(new KvLayout(3, 2, 40, DType.BF16), 3);
        Write(context, pool, 0, 11);
        Write(context, pool, 2, 32);
        var (one, other) = (new byte[pool.Layout.ExportBytes(11)], new byte[pool.Layout.ExportBytes(11)]);
        pool.Export(0, 11, one);
        pool.Export(2, 11, other);
        Assert.Equal(one, other);
    }

    static void Write(KernelContext context, KvPool pool, int block, int tokens)
    {
        var width = pool.Layout.KvHeads * pool.Layout.HeadDim;
        for (var layer = 0; layer < pool.Layout.Layers; layer++)
        {
            float[] keys = TestData.Normal(layer, 32 * width), values = TestData.Normal(10 + layer, 32 * width);
            KvWrite.Compute(context, pool, layer, keys.AsSpan(0, tokens * width), values.AsSpan(0, tokens * width),
                [new KvSpan(0, tokens, 0, 0)], [block]);
        }
    }
}
