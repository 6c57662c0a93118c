using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Hearth.Engine.Memory;

/// <summary>What a blob's keys and values are worth.</summary>
enum KvContent : byte
{
    Exact = 0,

    /// <summary>Rounded to 8 bits.</summary>
    Int8 = 1,

    /// <summary>All bits of a cache that was restored from int8, or computed after one: it moves as it is, and is not
    /// exact.</summary>
    WasInt8 = 2,
}

/// <summary>The format of an exported cache chunk, all little-endian:
/// <code>
/// 0  magic "HKVB"        4  version (u8)         5  content (u8)         6  block tokens (u16)
/// 8  model: SHA-256 of its fingerprint           40 bytes per token (u32)
/// 44 first token (u32)   48 tokens (u32)
/// 52 SHA-256 of the token ids [0 .. first + tokens), each as i32
/// 84 keys and values: tokens * bytes per token (fewer when they are int8), block after block
/// end CRC-32C of all before (u32)
/// </code>
/// A reader trusts none of it: a chunk is used only if every field is the one that this engine would have written
/// for these tokens and the checksum holds.</summary>
sealed class KvBlob(string fingerprint, int blockTokens, int tokenBytes, int int8TokenBytes)
{
    public const int HeaderBytes = 84;
    public const int TrailerBytes = 4;
    const byte Version = 1;
    const int ContentAt = 5;

    static ReadOnlySpan<byte> Magic => "HKVB"u8;

    readonly byte[] _model = SHA256.HashData(Encoding.UTF8.GetBytes(fingerprint));

    public int SizeOf(int tokens, KvContent content) =>
        checked(HeaderBytes + tokens * (content == KvContent.Int8 ? int8TokenBytes : tokenBytes) + TrailerBytes);

    /// <summary>The part of a blob that holds the keys and values.</summary>
    public static Span<byte> Payload(Span<byte> blob) => blob[HeaderBytes..^TrailerBytes];

    /// <summary>Writes header and checksum around a payload that is already in place.</summary>
    /// <param name="tokens">All token ids up to the chunk's end.</param>
    public void Seal(Span<byte> blob, int first, ReadOnlySpan<int> tokens, KvContent content)
    {
        WriteHeader(blob, first, tokens.Length - first, HashOf(tokens), content);
        BinaryPrimitives.WriteUInt32LittleEndian(blob[^TrailerBytes..], Crc32C.Compute(blob[..^TrailerBytes]));
    }

    /// <summary>Compares a foreign blob with what it must be.</summary>
    /// <param name="tokens">All token ids up to the chunk's end, as this engine knows them.</param>
    /// <returns>Null when it may be used, else why not.</returns>
    public string? Verify(ReadOnlySpan<byte> blob, int first, ReadOnlySpan<int> tokens, out KvContent content)
    {
        content = blob.Length > ContentAt ? (KvContent)blob[ContentAt] : default;
        Span<byte> expected = stackalloc byte[HeaderBytes];
        WriteHeader(expected, first, tokens.Length - first, HashOf(tokens), content);
        if (blob.Length < HeaderBytes + TrailerBytes)
        {
            return "truncated";
        }

        if (!blob[..8].SequenceEqual(expected[..8]) || content > KvContent.WasInt8)
        {
            return "not a cache chunk of this version";
        }

        if (!blob[8..44].SequenceEqual(expected[8..44]))
        {
            return "written by another model or cache layout";
        }

        if (!blob[44..HeaderBytes].SequenceEqual(expected[44..HeaderBytes]))
        {
            return "belongs to other tokens";
        }

        if (blob.Length != SizeOf(tokens.Length - first, content))
        {
            return "wrong size";
        }

        var checksum = BinaryPrimitives.ReadUInt32LittleEndian(blob[^TrailerBytes..]);
        return checksum == Crc32C.Compute(blob[..^TrailerBytes]) ? null : "checksum does not match";
    }

    void WriteHeader(Span<byte> header, int first, int count, ReadOnlySpan<byte> hash, KvContent content)
    {
        Magic.CopyTo(header);
        (header[4], header[ContentAt]) = (Version, (byte)content);
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], (ushort)blockTokens);
        _model.CopyTo(header[8..]);
        BinaryPrimitives.WriteInt32LittleEndian(header[40..], tokenBytes);
        BinaryPrimitives.WriteInt32LittleEndian(header[44..], first);
        BinaryPrimitives.WriteInt32LittleEndian(header[48..], count);
        hash.CopyTo(header[52..]);
    }

    static byte[] HashOf(ReadOnlySpan<int> tokens)
    {
        if (BitConverter.IsLittleEndian)
        {
            return SHA256.HashData(MemoryMarshal.AsBytes(tokens));
        }

        var swapped = new int[tokens.Length];
        BinaryPrimitives.ReverseEndianness(tokens, swapped);
        return SHA256.HashData(MemoryMarshal.AsBytes<int>(swapped));
    }
}
