namespace Hearth.Engine.Memory;

/// <summary>The memory of the KV blocks on a device. A block holds <see cref="BlockTokens"/> positions of all layers.
/// Two threads may use it at once as long as they touch different blocks,
/// or one only reads positions that the other does not write.</summary>
interface IKvBlocks
{
    int Count { get; }
    int BlockTokens { get; }

    /// <summary>Bytes of one token's keys and values, as exported.</summary>
    int TokenBytes { get; }

    /// <summary>Bytes of one token in the form that <see cref="Quantize"/> gives.</summary>
    int Int8TokenBytes { get; }

    /// <summary>Rounds what <see cref="Export"/> wrote of a block.</summary>
    void Quantize(int tokens, ReadOnlySpan<byte> exact, Span<byte> int8);

    /// <summary>From what <see cref="Quantize"/> wrote to what <see cref="Import"/> reads.</summary>
    void Dequantize(int tokens, ReadOnlySpan<byte> int8, Span<byte> exact);

    /// <summary>Copies the first <paramref name="tokens"/> positions of a block to another.</summary>
    void CopyPrefix(int from, int to, int tokens);

    /// <summary>Writes the first <paramref name="tokens"/> positions compactly: tokens * TokenBytes bytes.</summary>
    void Export(int block, int tokens, Span<byte> bytes);

    /// <summary>Reads what <see cref="Export"/> wrote for as many tokens.</summary>
    void Import(int block, int tokens, ReadOnlySpan<byte> bytes);
}
