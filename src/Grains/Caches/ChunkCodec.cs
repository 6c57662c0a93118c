using System.Buffers;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Hearth.Actors;

namespace Hearth.Grains.Caches;

/// <summary>The form of a cache chunk in the store; which one it has stands in the manifest. As it is: no copy is made.
/// Compressed: bytes at even and at odd places apart (those of 16-bit numbers that vary much, and those that vary little), as
/// deflate. Encrypted: <c>[key id, 8 bytes][nonce, 12][tag, 16]</c> before the rest by AES-256-GCM (NIST SP 800-38D), with a
/// random
/// nonce and bound to conversation, chunk and form, so that no chunk can stand in for another.</summary>
sealed class ChunkCodec(bool compress, SpillKeys? keys)
{
    /// <summary>There is nothing that repeats: only the exponents' bytes are not equally likely.</summary>
    static readonly ZLibCompressionOptions s_huffman = new() { CompressionStrategy = ZLibCompressionStrategy.HuffmanOnly };

    const int NonceBytes = 12, TagBytes = 16;
    const int SealBytes = SpillKeys.IdBytes + NonceBytes + TagBytes;

    public static ChunkCodec None { get; } = new(false, null);

    public (ReadOnlyMemory<byte> Data, ChunkForm Form) Encode(GrainId grain, string name, ReadOnlyMemory<byte> plain)
    {
        var content = compress ? Shrink(plain.Span) : null;
        var form = content is null ? ChunkForm.Plain : ChunkForm.Compressed;
        return keys is null ? (content ?? plain, form) : (Seal(grain, name, content ?? plain, form |= ChunkForm.Encrypted), form);
    }

    /// <param name="data">As it was stored; overwritten.</param>
    /// <returns>The chunk, in a part of the data's memory or in memory of its own; null if it is not sound, or its key is not
    /// known.</returns>
    public ReadOnlyMemory<byte>? Decode(GrainId grain, string name, Memory<byte> data, ChunkForm form, int plainBytes)
    {
        ReadOnlyMemory<byte>? content = form.HasFlag(ChunkForm.Encrypted) ? Unseal(grain, name, data, form) : data;
        if (content is { } packed && form.HasFlag(ChunkForm.Compressed))
            content = Grow(packed, plainBytes);
        return content?.Length == plainBytes ? content : null;
    }

    byte[] Seal(GrainId grain, string name, ReadOnlyMemory<byte> content, ChunkForm form)
    {
        var data = GC.AllocateUninitializedArray<byte>(SealBytes + content.Length);
        keys!.NewestId.CopyTo(data);
        var nonce = data.AsSpan(SpillKeys.IdBytes, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(keys.Newest, TagBytes);
        aes.Encrypt(nonce, content.Span, data.AsSpan(SealBytes), data.AsSpan(SealBytes - TagBytes, TagBytes),
            Bound(grain, name, form));
        return data;
    }

    Memory<byte>? Unseal(GrainId grain, string name, Memory<byte> data, ChunkForm form)
    {
        if (data.Length < SealBytes || keys?.Find(data.Span[..SpillKeys.IdBytes]) is not { } key)
            return null;
        var (nonce, tag) = (data.Slice(SpillKeys.IdBytes, NonceBytes), data[(SealBytes - TagBytes)..SealBytes]);
        var content = data[SealBytes..];
        using var aes = new AesGcm(key, TagBytes);
        try
        {
            aes.Decrypt(nonce.Span, content.Span, tag.Span, content.Span, Bound(grain, name, form));
            return content;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    static byte[] Bound(GrainId grain, string name, ChunkForm form) =>
        Encoding.UTF8.GetBytes($"{grain.Scope}\n{grain.Name}\n{name}\n{(int)form}");

    /// <returns>Null if it does not get smaller.</returns>
    static byte[]? Shrink(ReadOnlySpan<byte> plain)
    {
        var parted = ArrayPool<byte>.Shared.Rent(plain.Length);
        try
        {
            var half = (plain.Length + 1) / 2;
            for (var i = 0; i < plain.Length; i++)
                parted[(i >> 1) + ((i & 1) == 0 ? 0 : half)] = plain[i];
            using var bytes = new MemoryStream(plain.Length);
            using (var deflate = new DeflateStream(bytes, s_huffman, leaveOpen: true))
                deflate.Write(parted, 0, plain.Length);
            return bytes.Length < plain.Length ? bytes.ToArray() : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(parted);
        }
    }

    static ReadOnlyMemory<byte>? Grow(ReadOnlyMemory<byte> content, int plainBytes)
    {
        var parted = ArrayPool<byte>.Shared.Rent(plainBytes);
        try
        {
            using var deflate = new DeflateStream(
                new MemoryStream(content.ToArray(), writable: false), CompressionMode.Decompress);
            if (deflate.ReadAtLeast(parted.AsSpan(0, plainBytes), plainBytes, throwOnEndOfStream: false) < plainBytes)
                return null;
            var plain = GC.AllocateUninitializedArray<byte>(plainBytes);
            var half = (plainBytes + 1) / 2;
            for (var i = 0; i < plainBytes; i++)
                plain[i] = parted[(i >> 1) + ((i & 1) == 0 ? 0 : half)];
            return plain;
        }
        catch (InvalidDataException)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(parted);
        }
    }
}

[Flags]
enum ChunkForm
{
    Plain = 0,
    Compressed = 1,
    Encrypted = 2,
}
