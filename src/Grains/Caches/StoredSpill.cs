using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Contracts;

namespace Hearth.Grains.Caches;

/// <summary>Reads a conversation's spilled cache for the engine; a blob that is not the one written is as good as gone.
/// One reader at a time: a chunk's memory is used again for the next one but one.</summary>
sealed class StoredSpill(IBlobStore blobs, ChunkCodec codec, GrainId grain, SpillManifest manifest) : ICacheSpill
{
    byte[] _memory = [];
    byte[] _memoryBefore = [];

    public ReadOnlyMemory<int> Tokens { get; } = TokenBytes.Read(manifest.Tokens);

    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(int chunk, CancellationToken cancellationToken)
    {
        if ((uint)chunk >= (uint)manifest.Chunks.Count)
            return null;
        var (name, _, length, crc, form, plain) = manifest.Chunks[chunk];
        (_memory, _memoryBefore) = (_memoryBefore, _memory);
        if (_memory.Length < length)
            _memory = GC.AllocateUninitializedArray<byte>(length);
        var data = _memory.AsMemory(0, length);
        try
        {
            if (await blobs.ReadAsync(grain, name, data, cancellationToken) == length && Crc32C.Of(data.Span) == crc)
                return codec.Decode(grain, name, data, form, plain);
        }
        catch (StoreException)
        {
            // A cache is never worth a failed turn: the engine computes what it does not get.
        }
        return null;
    }
}
