using System.Buffers;
using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Contracts;

namespace Hearth.Grains.Caches;

/// <summary>Reads a conversation's spilled cache for the engine, which checks that a chunk is the one written.</summary>
sealed class StoredSpill(IBlobStore blobs, ChunkCodec codec, GrainId grain, SpillManifest manifest) : ICacheSpill
{
    /// <summary>Each new large array would cost its pages; kept are as many as are read at once.</summary>
    static readonly ArrayPool<byte> s_memory = ArrayPool<byte>.Create(Limits.ChunkMemoryBytesMax, Limits.ChunkMemoriesKept);

    public ReadOnlyMemory<int> Tokens { get; } = TokenBytes.Read(manifest.Tokens);

    public async ValueTask<CacheChunk?> ReadAsync(int chunk, CancellationToken cancellationToken)
    {
        if ((uint)chunk >= (uint)manifest.Chunks.Count)
            return null;
        var (name, tokens, length, form, plain) = manifest.Chunks[chunk];
        var lease = new Lease(s_memory.Rent(length));
        var data = lease.Memory[..length];
        try
        {
            if (await blobs.ReadAsync(grain, name, data, cancellationToken) == length
                && codec.Decode(grain, name, data, form, plain) is { } blob)
            {
                return new CacheChunk(chunk * manifest.ChunkTokens, tokens, blob, lease);
            }
        }
        catch (StoreException)
        {
            // A cache is never worth a failed turn: the engine computes what it does not get.
        }
        lease.Dispose();
        return null;
    }

    sealed class Lease(byte[] memory) : IDisposable
    {
        byte[]? _memory = memory;

        public Memory<byte> Memory => _memory;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _memory, null) is { } returned)
                s_memory.Return(returned);
        }
    }
}
