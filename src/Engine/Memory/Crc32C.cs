using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Arm = System.Runtime.Intrinsics.Arm;

namespace Hearth.Engine.Memory;

/// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4).</summary>
static class Crc32C
{
    /// <summary>Bytes that each of three sums goes through at a time: one sum alone waits for itself.</summary>
    const int LaneBytes = 2048;

    static readonly uint[] Table = MakeTable();
    static readonly uint[] Skip = MakeSkip();

    public static uint Compute(ReadOnlySpan<byte> bytes) => ~Append(~0u, bytes);

    static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        if (Sse42.X64.IsSupported)
        {
            for (; bytes.Length >= 3 * LaneBytes; bytes = bytes[(3 * LaneBytes)..])
            {
                crc = ThreeLanes(crc, MemoryMarshal.Cast<byte, ulong>(bytes[..(3 * LaneBytes)]));
            }

            ulong wide = crc;
            for (; bytes.Length >= 8; bytes = bytes[8..])
            {
                wide = Sse42.X64.Crc32(wide, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            }

            crc = (uint)wide;
        }
        else if (Arm.Crc32.Arm64.IsSupported)
        {
            for (; bytes.Length >= 8; bytes = bytes[8..])
            {
                crc = Arm.Crc32.Arm64.ComputeCrc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            }
        }

        return Scalar(crc, bytes);
    }

    static uint ThreeLanes(uint crc, ReadOnlySpan<ulong> words)
    {
        const int lane = LaneBytes / sizeof(ulong);
        var first = words[..lane];
        var second = words.Slice(lane, lane);
        var third = words.Slice(2 * lane, lane);
        var (a, b, c) = ((ulong)crc, 0ul, 0ul);
        for (var i = 0; i < lane; i++)
        {
            a = Sse42.X64.Crc32(a, first[i]);
            b = Sse42.X64.Crc32(b, second[i]);
            c = Sse42.X64.Crc32(c, third[i]);
        }

        return AfterLane(AfterLane((uint)a) ^ (uint)b) ^ (uint)c;
    }

    /// <summary>A sum after so many zeros: sums are linear, so that of a whole is made of those of its parts.</summary>
    static uint AfterLane(uint crc) =>
        Skip[(byte)crc] ^ Skip[256 + (byte)(crc >> 8)] ^ Skip[512 + (byte)(crc >> 16)] ^ Skip[768 + (crc >> 24)];

    static uint[] MakeSkip()
    {
        Span<uint> bits = stackalloc uint[32];
        var zeros = new byte[LaneBytes];
        for (var bit = 0; bit < 32; bit++)
        {
            bits[bit] = Scalar(1u << bit, zeros);
        }

        var skip = new uint[4 * 256];
        for (var i = 0; i < skip.Length; i++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                skip[i] ^= (i >> bit & 1) == 0 ? 0 : bits[(i / 256 * 8) + bit];
            }
        }

        return skip;
    }

    /// <summary>The reference, and the tail of the fast paths.</summary>
    internal static uint Scalar(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            crc = Table[(byte)(crc ^ b)] ^ (crc >> 8);
        }

        return crc;
    }

    static uint[] MakeTable()
    {
        var table = new uint[256];
        for (var i = 0u; i < 256; i++)
        {
            var entry = i;
            for (var bit = 0; bit < 8; bit++)
            {
                entry = (entry >> 1) ^ ((entry & 1) * 0x82F63B78u);
            }

            table[i] = entry;
        }

        return table;
    }
}
