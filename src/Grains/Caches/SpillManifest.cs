using System.Buffers.Binary;
using System.Text.Json;
using Hearth.Contracts;
using Hearth.Grains.Transcripts;

namespace Hearth.Grains.Caches;

/// <summary>What the store holds of a conversation's cache. Published last: it never names what is not there yet.</summary>
/// <param name="Fingerprint">Of the model that made it: no other one may use it.</param>
/// <param name="Epoch">Of the activation that wrote it.</param>
/// <param name="ChunkTokens">Tokens of every chunk but the last.</param>
/// <param name="Tokens">The tokens that it covers, 4 bytes each, little-endian.</param>
sealed record SpillManifest(
    int Version, string Fingerprint, long Epoch, int ChunkTokens, byte[] Tokens, IReadOnlyList<SpillChunk> Chunks)
{
    public const int VersionNow = 2;

    public static SpillManifest Empty(ModelCard model, long epoch, int chunkTokens) =>
        new(VersionNow, model.Fingerprint, epoch, chunkTokens, [], []);

    public int TokenCount => Tokens.Length / sizeof(int);
    public long Bytes => Chunks.Sum(c => (long)c.Length);

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, GrainsJson.Default.SpillManifest);

    /// <summary>Null for what cannot be trusted: such a cache is computed again.</summary>
    public static SpillManifest? FromBytes(byte[] bytes)
    {
        try
        {
            var manifest = JsonSerializer.Deserialize(bytes, GrainsJson.Default.SpillManifest);
            return manifest is { Version: VersionNow, ChunkTokens: > 0 } && manifest.IsWhole ? manifest : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    bool IsWhole => Fingerprint is not null && Tokens is not null && Chunks is not null && Tokens.Length % sizeof(int) == 0
        && Chunks.All(c => c is { Name: not null, Form: >= 0 and <= (ChunkForm.Compressed | ChunkForm.Encrypted) }
            && c.Length is > 0 and <= Actors.Limits.BlobBytesMax && c.Plain is > 0 and <= Actors.Limits.BlobBytesMax
            && c.Tokens > 0 && c.Tokens <= ChunkTokens)
        && Chunks.SkipLast(1).All(c => c.Tokens == ChunkTokens) && Chunks.Sum(c => (long)c.Tokens) == TokenCount;
}

/// <param name="Name">Of the blob.</param>
/// <param name="Length">Of the blob in bytes.</param>
/// <param name="Plain">Bytes of the chunk as the engine exported it.</param>
sealed record SpillChunk(string Name, int Tokens, int Length, ChunkForm Form, int Plain);

/// <summary>Token ids as the store keeps them.</summary>
static class TokenBytes
{
    public static byte[] Of(ReadOnlySpan<int> tokens)
    {
        var bytes = new byte[tokens.Length * sizeof(int)];
        for (var i = 0; i < tokens.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i * sizeof(int)), tokens[i]);
        return bytes;
    }

    public static int[] Read(ReadOnlySpan<byte> bytes)
    {
        var tokens = new int[bytes.Length / sizeof(int)];
        for (var i = 0; i < tokens.Length; i++)
            tokens[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
        return tokens;
    }
}
