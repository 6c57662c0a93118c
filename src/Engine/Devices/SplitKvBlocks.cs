using Hearth.Engine.Memory;

namespace Hearth.Engine.Devices;

/// <summary>Blocks whose layers lie on several devices, under one number each. The exported form has layer after layer, so the
/// devices' parts stand behind one another.</summary>
sealed class SplitKvBlocks(IKvBlocks[] parts) : IKvBlocks
{
    public int Count { get; } = parts.Min(p => p.Count);
    public int BlockTokens => parts[0].BlockTokens;
    public int TokenBytes { get; } = parts.Sum(p => p.TokenBytes);
    public int Int8TokenBytes { get; } = parts.Sum(p => p.Int8TokenBytes);

    public void Quantize(int tokens, ReadOnlySpan<byte> exact, Span<byte> int8)
    {
        foreach (var part in parts)
        {
            part.Quantize(tokens, exact[..(tokens * part.TokenBytes)], int8[..(tokens * part.Int8TokenBytes)]);
            exact = exact[(tokens * part.TokenBytes)..];
            int8 = int8[(tokens * part.Int8TokenBytes)..];
        }
    }

    public void Dequantize(int tokens, ReadOnlySpan<byte> int8, Span<byte> exact)
    {
        foreach (var part in parts)
        {
            part.Dequantize(tokens, int8[..(tokens * part.Int8TokenBytes)], exact[..(tokens * part.TokenBytes)]);
            exact = exact[(tokens * part.TokenBytes)..];
            int8 = int8[(tokens * part.Int8TokenBytes)..];
        }
    }

    public void CopyPrefix(int from, int to, int tokens)
    {
        foreach (var part in parts)
            part.CopyPrefix(from, to, tokens);
    }

    public void Export(int block, int tokens, Span<byte> bytes)
    {
        foreach (var part in parts)
        {
            part.Export(block, tokens, bytes[..(tokens * part.TokenBytes)]);
            bytes = bytes[(tokens * part.TokenBytes)..];
        }
    }

    public void Import(int block, int tokens, ReadOnlySpan<byte> bytes)
    {
        foreach (var part in parts)
        {
            part.Import(block, tokens, bytes[..(tokens * part.TokenBytes)]);
            bytes = bytes[(tokens * part.TokenBytes)..];
        }
    }
}
