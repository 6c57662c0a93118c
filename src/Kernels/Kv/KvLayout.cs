namespace Hearth.Kernels;

/// <summary>
/// Where keys and values lie in a block of <see cref="BlockTokens"/> positions of all layers:
/// [layer][kvHead] of keys [headDim][BlockTokens], then values [BlockTokens][ValueStride].
/// Keys lie across, so that one vector load gives the same dimension of many keys: attention needs no sum over lanes.
/// </summary>
public readonly record struct KvLayout
{
    public const int BlockTokens = 32;

    /// <param name="headDim">Of queries and keys.</param>
    /// <param name="valueDim">Of values, if it is another.</param>
    public KvLayout(int layers, int kvHeads, int headDim, DType type, int? valueDim = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(kvHeads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(headDim, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(layers, Limits.LayersMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(kvHeads, Limits.KvHeadsMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(headDim, Limits.HeadDimMax);
        if (!type.IsWide())
        {
            throw new ArgumentOutOfRangeException(nameof(type), type, "keys and values are F32, F16 or BF16");
        }
        ArgumentOutOfRangeException.ThrowIfLessThan(valueDim ?? 1, 1, nameof(valueDim));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(valueDim ?? 1, Limits.HeadDimMax, nameof(valueDim));
        (Layers, KvHeads, HeadDim, ValueDim, Type) = (layers, kvHeads, headDim, valueDim ?? headDim, type);
    }

    public int Layers { get; }

    public int KvHeads { get; }

    public int HeadDim { get; }

    public int ValueDim { get; }

    public DType Type { get; }

    /// <summary>Elements from one value row to the next: valueDim rounded up to two vectors of 512 bits in f32; the padding is
    /// zero.</summary>
    public int ValueStride => (ValueDim + 31) & ~31;

    public long KeyBytesPerHead => (long)HeadDim * BlockTokens * Type.Size();

    public long ValueBytesPerHead => (long)ValueStride * BlockTokens * Type.Size();

    public long HeadBytes => KeyBytesPerHead + ValueBytesPerHead;

    /// <summary>Bytes of one block in one layer.</summary>
    public long BlockBytesPerLayer => HeadBytes * KvHeads;

    /// <summary>Bytes of one block in all layers: what one block costs of the KV memory.</summary>
    public long BlockBytes => BlockBytesPerLayer * Layers;

    /// <summary>Bytes of <paramref name="tokens"/> positions of all layers when exported: no padding, exact length.</summary>
    public long ExportBytes(int tokens) => (long)Layers * KvHeads * (HeadDim + ValueDim) * tokens * Type.Size();

    /// <summary>Offset of a head's keys in the pool.</summary>
    public long KeyOffset(int block, int layer, int head) =>
        block * BlockBytes + layer * BlockBytesPerLayer + head * HeadBytes;
}
