using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>
/// The memory of a number of KV blocks, reserved at once and backed by the system as blocks are first written.
/// It knows nothing of who owns a block: that is the block pool's business in the engine.
/// </summary>
public sealed unsafe class KvPool : IDisposable
{
    readonly NativeBuffer _memory;

    /// <exception cref="InsufficientMemoryException">The system refuses that many bytes.</exception>
    public KvPool(KvLayout layout, int blocks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        (Layout, Blocks) = (layout, blocks);
        _memory = new NativeBuffer(checked(layout.BlockBytes * blocks));
    }

    public KvLayout Layout { get; }

    public int Blocks { get; }

    /// <summary>All blocks, as bytes.</summary>
    public TensorMemory Memory => _memory.Memory;

    internal byte* Address => _memory.Address;

    /// <summary>Copies the first positions of a block to another (at least that many: whole blocks move at memory
    /// speed).</summary>
    public void CopyBlock(int source, int target)
    {
        CheckBlock(source, nameof(source));
        CheckBlock(target, nameof(target));
        Buffer.MemoryCopy(BlockAddress(source), BlockAddress(target), Layout.BlockBytes, Layout.BlockBytes);
    }

    /// <summary>
    /// Writes the first <paramref name="tokens"/> positions of all layers, compact: [layer][kvHead] of keys [headDim][tokens],
    /// then values [tokens][valueDim]. The bytes depend on the content and the layout, never on the block.
    /// </summary>
    /// <param name="target"><see cref="KvLayout.ExportBytes"/> of tokens.</param>
    public void Export(int block, int tokens, Span<byte> target)
    {
        CheckTransfer(block, tokens, target.Length);
        fixed (byte* bytes = target)
        {
            Transfer(BlockAddress(block), bytes, tokens, true);
        }
    }

    /// <summary>The reverse of <see cref="Export"/>; positions beyond <paramref name="tokens"/> are left as they were.</summary>
    public void Import(int block, int tokens, ReadOnlySpan<byte> source)
    {
        CheckTransfer(block, tokens, source.Length);
        fixed (byte* bytes = source)
        {
            Transfer(BlockAddress(block), bytes, tokens, false);
        }
    }

    /// <summary>Zeroes a block, for pools whose blocks pass from one tenant to another.</summary>
    public void Clear(int block)
    {
        CheckBlock(block, nameof(block));
        System.Runtime.InteropServices.NativeMemory.Clear(BlockAddress(block), (nuint)Layout.BlockBytes);
    }

    public void Dispose() => _memory.Dispose();

    byte* BlockAddress(int block) => _memory.Address + block * Layout.BlockBytes;

    void Transfer(byte* block, byte* compact, int tokens, bool export)
    {
        var size = Layout.Type.Size();
        for (var head = 0; head < Layout.Layers * Layout.KvHeads; head++)
        {
            var keys = block + head * Layout.HeadBytes;
            var values = keys + Layout.KeyBytesPerHead;
            compact = Move(keys, KvLayout.BlockTokens * size, compact, tokens * size, Layout.HeadDim, export);
            compact = Move(values, Layout.ValueStride * size, compact, Layout.ValueDim * size, tokens, export);
        }
    }

    /// <summary>Moves rows between the block (at a stride) and the compact form; whole rows of equal stride in one
    /// copy.</summary>
    static byte* Move(byte* block, int stride, byte* compact, int rowBytes, int rows, bool export)
    {
        if (stride == rowBytes)
        {
            (rowBytes, rows) = (rowBytes * rows, 1);
        }
        for (var row = 0; row < rows; row++, block += stride, compact += rowBytes)
        {
            Unsafe.CopyBlockUnaligned(export ? compact : block, export ? block : compact, (uint)rowBytes);
        }
        return compact;
    }

    void CheckTransfer(int block, int tokens, int bytes)
    {
        CheckBlock(block, nameof(block));
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, KvLayout.BlockTokens);
        Check.Length(bytes, Layout.ExportBytes(tokens), "bytes");
    }

    void CheckBlock(int block, string name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(block, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(block, Blocks, name);
    }
}
