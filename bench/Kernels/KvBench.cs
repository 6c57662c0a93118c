namespace Hearth.Kernels.Bench;

/// <summary>Attention of one new token over 4,096 positions, all layers.</summary>
static class KvBench
{
    const int Depth = 4096, Layers = 16;

    public static void Run(KernelContext context, DType type, int heads, int kvHeads, int headDim)
    {
        var layout = new KvLayout(Layers, kvHeads, headDim, type);
        var blocks = Depth / KvLayout.BlockTokens;
        using var pool = new KvPool(layout, blocks);
        var random = new Random(3);
        var table = Enumerable.Range(0, blocks).ToArray();
        random.Shuffle(table);
        var bytes = new byte[layout.ExportBytes(KvLayout.BlockTokens)];
        var element = new byte[4];
        for (var i = 0; i < bytes.Length; i += type.Size())
        {
            var value = random.NextSingle() - 0.5f;
            BitConverter.TryWriteBytes(element, type == DType.BF16 ? BitConverter.SingleToUInt32Bits(value) >> 16
                : type == DType.F16 ? BitConverter.HalfToUInt16Bits((Half)value) : BitConverter.SingleToUInt32Bits(value));
            element.AsSpan(0, type.Size()).CopyTo(bytes.AsSpan(i));
        }
        foreach (var block in table)
        {
            pool.Import(block, KvLayout.BlockTokens, bytes);
        }
        var spec = new AttentionSpec(heads, 1 / MathF.Sqrt(headDim));
        var (q, o) = (Enumerable.Range(0, heads * headDim).Select(_ => random.NextSingle() - 0.5f).ToArray(),
            new float[heads * headDim]);
        KvSpan[] sequences = [new KvSpan(0, 1, Depth - 1, 0)];
        Report.Streaming(context, $"attention at {Depth}, {heads}/{kvHeads} heads of {headDim}, {type}", pool.Memory, () =>
        {
            for (var layer = 0; layer < Layers; layer++)
            {
                PagedAttention.Compute(context, spec, q, pool, layer, sequences, table, o);
            }
        });
    }
}
