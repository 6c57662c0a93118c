using Hearth.Kernels;

namespace Hearth.Engine.Memory;

/// <summary>The blocks of a pool in the processor's memory.</summary>
sealed class KvPoolBlocks(KvPool pool) : IKvBlocks
{
    public int Count => pool.Blocks;
    public int BlockTokens => KvLayout.BlockTokens;
    public int TokenBytes { get; } = checked((int)pool.Layout.ExportBytes(1));

    public int Int8TokenBytes { get; } = checked((int)KvInt8.Bytes(pool.Layout, 1));

    public void Quantize(int tokens, ReadOnlySpan<byte> exact, Span<byte> int8) =>
        KvInt8.Quantize(pool.Layout, tokens, exact, int8);

    public void Dequantize(int tokens, ReadOnlySpan<byte> int8, Span<byte> exact) =>
        KvInt8.Dequantize(pool.Layout, tokens, int8, exact);

    public void CopyPrefix(int from, int to, int tokens) => pool.CopyBlock(from, to);

    public void Export(int block, int tokens, Span<byte> bytes) => pool.Export(block, tokens, bytes);

    public void Import(int block, int tokens, ReadOnlySpan<byte> bytes) => pool.Import(block, tokens, bytes);
}
