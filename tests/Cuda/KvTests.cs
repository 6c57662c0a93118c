using Hearth.Kernels;
using Xunit;

namespace Hearth.Cuda.Tests;

public sealed class KvTests
{
    public static TheoryData<string> Types => Data.Types;

    [Fact]
    public void RopeTurnsPairsAndLeavesTheRest()
    {
        const int Rows = 3, QueryHeads = 4, KeyHeads = 2, HeadDim = 10, Half = 3;
        var (queries, keys) = (Data.Normal(1, Rows * QueryHeads * HeadDim), Data.Normal(2, Rows * KeyHeads * HeadDim));
        var angles = Data.Normal(3, Rows * Half);
        foreach (var interleaved in (bool[])[false, true])
        {
            var (q, k) = (new Output<float>(queries), new Output<float>(keys));
            KernelRun.Launch(interleaved ? "rope_interleaved" : "rope", (Rows, 1, 1), 128, 0, q, k, Array.ConvertAll(angles,
                MathF.Cos),
                Array.ConvertAll(angles, MathF.Sin), QueryHeads, KeyHeads, HeadDim, Half, Half);
            Data.Near(Turned(queries, QueryHeads), q.Values, 1e-6);
            Data.Near(Turned(keys, KeyHeads), k.Values, 1e-6);

            double[] Turned(float[] x, int heads)
            {
                var y = Array.ConvertAll(x, v => (double)v);
                for (var head = 0; head < Rows * heads; head++)
                {
                    for (var i = 0; i < Half; i++)
                    {
                        var (a, b) = interleaved ? (2 * i, 2 * i + 1) : (i, i + Half);
                        (a, b) = (head * HeadDim + a, head * HeadDim + b);
                        var (sin, cos) = Math.SinCos(angles[head / heads * Half + i]);
                        (y[a], y[b]) = (x[a] * cos - x[b] * sin, x[b] * cos + x[a] * sin);
                    }
                }
                return y;
            }
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void KeysAndValuesAreWrittenAsTheProcessorWritesThem(string type)
    {
        const int Layers = 2, KvHeads = 3, Blocks = 3;
        foreach (var headDim in (int[])[8, 40, 64])
        {
            var layout = new KvLayout(Layers, KvHeads, headDim, Type(type));
            int[] slots = [2 * 32 + 5, -1, 31, 2 * 32 + 6];
            var width = KvHeads * headDim;
            var (keys, values) = (Data.Normal(1, slots.Length * width), Data.Normal(2, slots.Length * width));
            var elements = (int)(layout.BlockBytes * Blocks / layout.Type.Size());
            var before = Data.Stored(type, Data.Normal(3, elements));
            var pool = Data.Output(type, before);
            KernelRun.Launch($"kv_write_{type}", (slots.Length, 1, 1), 128, 0, keys, values, pool, slots, 1, Layers, KvHeads,
                headDim,
                layout.ValueStride);

            using var expected = new KvPool(layout, Blocks);
            using var context = new KernelContext(1, KernelSet.Scalar);
            for (var i = 0; i < slots.Length; i++)
            {
                if (slots[i] < 0)
                    continue;
                KvWrite.Compute(context, expected, 1, keys.AsSpan(i * width, width), values.AsSpan(i * width, width),
                    [new KvSpan(0, 1, slots[i] % 32, 0)], [slots[i] / 32]);
            }
            var written = Numbers.ToSingles(context, layout.Type, expected.Memory);
            var (now, old) = (Data.Values(type, pool), Data.FromStored(type, before));
            for (var i = 0; i < elements; i++)
            {
                if (written[i] != 0)
                    Assert.Equal(written[i], now[i]);
                else
                    Assert.True(now[i] == old[i] || now[i] == 0, $"element {i} was written");
            }
        }
    }

    [Theory]
    [InlineData("f32", 64, 32)]
    [InlineData("f32", 20, 7)]
    [InlineData("f16", 64, 32)]
    [InlineData("f16", 80, 13)]
    [InlineData("f16", 10, 32)]
    public void BlocksAreExportedAndImportedAsTheProcessorDoes(string type, int headDim, int tokens)
    {
        const int Layers = 2, KvHeads = 2, Blocks = 4;
        var layout = new KvLayout(Layers, KvHeads, headDim, Type(type));
        int[] blocks = [3, 0];
        using var expected = new KvPool(layout, Blocks);
        using var context = new KernelContext(1, KernelSet.Scalar);
        for (var block = 0; block < Blocks; block++)
            expected.Import(block, 32, Bytes(Data.Stored(type, Data.Normal(block, Elements(32)))));
        var content = Data.Stored(type, Numbers.ToSingles(context, layout.Type, expected.Memory));
        byte[] compact = [.. Exported(blocks[0], 32), .. Exported(blocks[1], tokens)];

        var exported = new Output<byte>(compact.Length);
        object[] shape = [blocks.Length, tokens, Layers, KvHeads, headDim, layout.ValueStride];
        KernelRun.Launch($"kv_export_{type}", (Layers * KvHeads, blocks.Length, 1), 128, 0, [content, blocks, exported,
            .. shape]);
        Assert.Equal(compact, exported.Values!);

        // What is imported is other content in the same places: the processor's import says which.
        var other = Bytes(Data.Stored(type, Data.Normal(9, Elements(32) + Elements(tokens))));
        var pool = Data.Output(type, content);
        KernelRun.Launch($"kv_import_{type}", (Layers * KvHeads, blocks.Length, 1), 128, 0, [pool, blocks, other, .. shape]);
        var firstBytes = (int)layout.ExportBytes(32);
        expected.Import(blocks[0], 32, other.AsSpan(0, firstBytes));
        expected.Import(blocks[1], tokens, other.AsSpan(firstBytes));
        Assert.Equal(Numbers.ToSingles(context, layout.Type, expected.Memory), Data.Values(type, pool));

        int Elements(int count) => (int)(layout.ExportBytes(count) / layout.Type.Size());
        byte[] Exported(int block, int count)
        {
            var bytes = new byte[layout.ExportBytes(count)];
            expected.Export(block, count, bytes);
            return bytes;
        }
    }

    [Fact]
    public void WholeBlocksAreCopied()
    {
        const int BlockBytes = 1552;
        var bytes = new byte[4 * BlockBytes];
        new Random(1).NextBytes(bytes);
        var pool = new Output<byte>(bytes);
        int[] from = [0, 2], to = [3, 1];
        KernelRun.Launch("kv_copy", (2, 2, 1), 128, 0, pool, from, to, (long)BlockBytes);
        byte[] expected = [.. bytes[..BlockBytes], .. bytes[(2 * BlockBytes)..(3 * BlockBytes)],
            .. bytes[(2 * BlockBytes)..(3 * BlockBytes)],
            .. bytes[..BlockBytes]];
        Assert.Equal(expected, pool.Values!);
    }

    static byte[] Bytes(Array values)
    {
        var bytes = new byte[Buffer.ByteLength(values)];
        Buffer.BlockCopy(values, 0, bytes, 0, bytes.Length);
        return bytes;
    }

    static DType Type(string name) => name switch { "f32" => DType.F32, "bf16" => DType.BF16, _ => DType.F16 };
}
