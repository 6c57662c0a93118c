using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Contracts;

namespace Hearth.Grains.Caches;

/// <summary>Reads a conversation's spilled cache for the engine; a blob that is not the one written is as good as gone.</summary>
sealed class StoredSpill(IBlobStore blobs, GrainId grain, SpillManifest manifest) : ICacheSpill
{
    public ReadOnlyMemory<int> Tokens { get; } = TokenBytes.Read(manifest.Tokens);

    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(int chunk, CancellationToken cancellationToken)
    {
        if ((uint)chunk >= (uint)manifest.Chunks.Count)
            return null;
        var (name, _, length, crc) = manifest.Chunks[chunk];
        try
        {
            var data = await blobs.ReadAsync(grain, name, cancellationToken);
            if (data is not null && data.Length == length && Crc32C.Of(data) == crc)
                return data;
        }
        catch (StoreException)
        {
            // A cache is never worth a failed turn: the engine computes what it does not get.
        }
        return null;
    }
}
