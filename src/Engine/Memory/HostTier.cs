namespace Hearth.Engine.Memory;

/// <summary>A cache's bytes in host memory, in pieces of <see cref="Limits.ChunkTokens"/> tokens.</summary>
/// <param name="gone">Leading tokens that the cache had given back: their bytes mean nothing, and a piece of nothing else is
/// empty.</param>
sealed class HostCopy(int tokens, int gone, byte[][] pieces, long bytes)
{
    public int Tokens => tokens;
    public int Gone => gone;
    public long Bytes => bytes;
    public ReadOnlySpan<byte[]> Pieces => pieces;
}

/// <summary>The budget of host memory for spilled caches. Who is dropped when it is full is
/// <see cref="KvSpace"/>'s decision.</summary>
sealed class HostTier(IKvBlocks blocks, long bytesTotal)
{
    public long BytesTotal => bytesTotal;
    public long BytesUsed { get; private set; }

    public long SizeOf(int tokens) => (long)tokens * blocks.TokenBytes;

    public bool Fits(int tokens) => BytesUsed + SizeOf(tokens) <= bytesTotal;

    /// <summary>Copies the first tokens of a table out of the device, but for those that are gone.</summary>
    public HostCopy Store(ReadOnlySpan<int> table, int tokens, int gone)
    {
        var (blockTokens, bytes) = (blocks.BlockTokens, 0L);
        var pieces = new byte[(tokens + Limits.ChunkTokens - 1) / Limits.ChunkTokens][];
        for (var i = 0; i < pieces.Length; i++)
        {
            var first = i * Limits.ChunkTokens;
            var count = Math.Min(tokens - first, Limits.ChunkTokens);
            var isGone = first + count <= gone;
            pieces[i] = isGone ? [] : GC.AllocateUninitializedArray<byte>(count * blocks.TokenBytes);
            bytes += pieces[i].Length;
            Export(table[(first / blockTokens)..], isGone ? 0 : count, pieces[i]);
        }

        BytesUsed += bytes;
        return new HostCopy(tokens, gone, pieces, bytes);
    }

    /// <summary>Copies tokens [from, to) back into a table's blocks; from is a multiple of a block.</summary>
    public void Load(HostCopy copy, ReadOnlySpan<int> table, int from, int to)
    {
        for (var first = from / Limits.ChunkTokens * Limits.ChunkTokens; first < to; first += Limits.ChunkTokens)
        {
            Import(copy.Pieces[first / Limits.ChunkTokens], table, first, from, to);
        }
    }

    public void Drop(HostCopy copy) => BytesUsed -= copy.Bytes;

    /// <summary>Writes tokens of consecutive blocks one block after the other.</summary>
    public void Export(ReadOnlySpan<int> table, int tokens, Span<byte> bytes)
    {
        for (var i = 0; tokens > 0; i++)
        {
            var count = Math.Min(tokens, blocks.BlockTokens);
            if (table[i] >= 0)
            {
                blocks.Export(table[i], count, bytes[..(count * blocks.TokenBytes)]);
            }

            bytes = bytes[(count * blocks.TokenBytes)..];
            tokens -= count;
        }
    }

    /// <summary>Rounds an exported part, block after block.</summary>
    public void Quantize(ReadOnlySpan<byte> exact, Span<byte> int8)
    {
        var tokens = exact.Length / blocks.TokenBytes;
        for (var first = 0; first < tokens; first += blocks.BlockTokens)
        {
            var count = Math.Min(tokens - first, blocks.BlockTokens);
            blocks.Quantize(
                count,
                exact.Slice(first * blocks.TokenBytes, count * blocks.TokenBytes),
                int8.Slice(first * blocks.Int8TokenBytes, count * blocks.Int8TokenBytes));
        }
    }

    /// <summary>A part's payload as the blocks take it.</summary>
    public ReadOnlyMemory<byte> Dequantize(ReadOnlyMemory<byte> payload, KvContent content)
    {
        if (content != KvContent.Int8)
        {
            return payload;
        }

        var tokens = payload.Length / blocks.Int8TokenBytes;
        var exact = GC.AllocateUninitializedArray<byte>(tokens * blocks.TokenBytes);
        for (var first = 0; first < tokens; first += blocks.BlockTokens)
        {
            var count = Math.Min(tokens - first, blocks.BlockTokens);
            var int8 = payload.Span.Slice(first * blocks.Int8TokenBytes, count * blocks.Int8TokenBytes);
            blocks.Dequantize(count, int8, exact.AsSpan(first * blocks.TokenBytes, count * blocks.TokenBytes));
        }

        return exact;
    }

    /// <summary>Reads the blocks of a chunk that starts at token <paramref name="first"/> and hold any of [from, to).</summary>
    public void Import(ReadOnlySpan<byte> payload, ReadOnlySpan<int> table, int first, int from, int to)
    {
        var chunkTokens = payload.Length / blocks.TokenBytes;
        for (var offset = 0; offset < chunkTokens && first + offset < to; offset += blocks.BlockTokens)
        {
            var count = Math.Min(chunkTokens - offset, blocks.BlockTokens);
            var block = table[(first + offset) / blocks.BlockTokens];
            if (first + offset >= from && block >= 0)
            {
                blocks.Import(block, count, payload.Slice(offset * blocks.TokenBytes, count * blocks.TokenBytes));
            }
        }
    }
}
