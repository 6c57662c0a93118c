using Xunit;

namespace Hearth.Kernels.Tests;

public class FormatTests
{
    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void EveryStoredNumberWidensExactlyAndComesBack(string set)
    {
        using var context = TestData.Context(set);
        foreach (var type in (DType[])[DType.F16, DType.BF16])
        {
            var bytes = new byte[65536 * 2];
            for (var i = 0; i < 65536; i++)
            {
                BitConverter.TryWriteBytes(bytes.AsSpan(2 * i), (ushort)i);
            }
            var (values, back) = (new float[65536], new byte[65536 * 2]);
            Numbers.Widen(context, type, bytes, values);
            Numbers.Narrow(context, type, values, back);
            for (var i = 0; i < 65536; i++)
            {
                var expected = type == DType.F16 ? (float)BitConverter.UInt16BitsToHalf((ushort)i)
                    : BitConverter.UInt32BitsToSingle((uint)i << 16);
                if (float.IsNaN(expected))
                {
                    Assert.True(float.IsNaN(values[i]));
                    continue;
                }
                Assert.True(BitConverter.SingleToUInt32Bits(expected) == BitConverter.SingleToUInt32Bits(values[i]),
                    $"{type} {i:x}");
                Assert.True((ushort)i == BitConverter.ToUInt16(back, 2 * i), $"{type} {i:x}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void NarrowingRoundsToTheNearestEven(string set)
    {
        using var context = TestData.Context(set);
        var random = new Random(7);
        float[] special = [0, -0f, float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, -float.MaxValue,
            float.Epsilon, 65504, 65519.99f, 65520, -65520, 5.9604645e-8f, 2.9802322e-8f, 2.98023259e-8f, 6.1035156e-5f,
            1 + 1 / 2048f, 1 + 3 / 2048f, 1 + 1 / 256f];
        float[] values = [.. special, .. Enumerable.Range(0, 200_003).Select(_ =>
            BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32)))];
        var (half, brain) = (new byte[values.Length * 2], new byte[values.Length * 2]);
        Numbers.Narrow(context, DType.F16, values, half);
        Numbers.Narrow(context, DType.BF16, values, brain);
        for (var i = 0; i < values.Length; i++)
        {
            var (h, b) = (BitConverter.ToHalf(half, 2 * i),
                BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(brain, 2 * i) << 16));
            Assert.True(((Half)values[i]).Equals(h));
            var bits = (ulong)BitConverter.SingleToUInt32Bits(values[i]);
            var expected = float.IsNaN(values[i]) ? float.NaN
                : BitConverter.UInt32BitsToSingle((uint)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16));
            Assert.True(expected.Equals(b));
        }
    }

    [Fact]
    public void AMappedFileGivesMatricesAtOddOffsetsWithoutCopying()
    {
        var path = Path.GetTempFileName();
        try
        {
            var values = TestData.Normal(1, 12);
            var bytes = new byte[3 + 48];
            Buffer.BlockCopy(values, 0, bytes, 3, 48);
            File.WriteAllBytes(path, bytes);
            using var context = TestData.Context("512", 1);
            using var file = MappedFile.Open(path);
            var table = new MatrixView(file.Slice(3, 48), DType.F32, 3, 4);
            var rows = new float[8];
            Embedding.Gather(context, table, [2, 0], rows);
            Assert.Equal([.. values[8..12], .. values[0..4]], rows);
            Assert.Throws<ArgumentOutOfRangeException>(() => Embedding.Gather(context, table, [3], rows.AsSpan(0, 4)));
            Assert.Throws<ArgumentOutOfRangeException>(() => file.Slice(4, 48));
            Assert.Throws<ArgumentException>(() => new MatrixView(file.Slice(3, 48), DType.F32, 3, 5));
            using var turned = new NativeBuffer(48);
            var across = Transpose.Compute(context, table, turned);
            Assert.Equal((4, 3), (across.Rows, across.Columns));
            Assert.Equal(values[4], turned.AsSpan<float>()[1]);
            file.Dispose();
            Assert.Throws<ObjectDisposedException>(() => file.Slice(0, 1));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void LargeBuffersAreZeroAndSmallOnesToo()
    {
        foreach (var size in (long[])[0, 1, 4096, 5 << 20])
        {
            using var buffer = new NativeBuffer(size);
            Assert.True(buffer.AsSpan<byte>().IndexOfAnyExcept((byte)0) < 0);
        }
    }
}
