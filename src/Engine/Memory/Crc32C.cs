using System.Buffers.Binary;
using System.Numerics;

namespace Hearth.Engine.Memory;

/// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4).</summary>
static class Crc32C
{
    /// <summary>Bytes of a lane: the instruction takes three cycles and begins every cycle, so that three sums side by side cost
    /// what one does.</summary>
    const int LaneBytes = 4096;

    static readonly uint[] s_table = MakeTable();
    static readonly uint[] s_afterLane = MakeAfterLane();

    public static uint Compute(ReadOnlySpan<byte> bytes)
    {
        var crc = ~0u;
        for (; bytes.Length >= 3 * LaneBytes; bytes = bytes[(3 * LaneBytes)..])
        {
            crc = ThreeLanes(crc, bytes[..LaneBytes], bytes.Slice(LaneBytes, LaneBytes), bytes.Slice(2 * LaneBytes, LaneBytes));
        }

        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        return ~Scalar(crc, bytes);
    }

    /// <summary>The reference, and the tail of the fast path.</summary>
    internal static uint Scalar(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            crc = s_table[(byte)(crc ^ b)] ^ (crc >> 8);
        }

        return crc;
    }

    static uint ThreeLanes(uint crc, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third)
    {
        var (a, b, c) = (crc, 0u, 0u);
        for (var i = 0; i < LaneBytes; i += sizeof(ulong))
        {
            a = BitOperations.Crc32C(a, BinaryPrimitives.ReadUInt64LittleEndian(first[i..]));
            b = BitOperations.Crc32C(b, BinaryPrimitives.ReadUInt64LittleEndian(second[i..]));
            c = BitOperations.Crc32C(c, BinaryPrimitives.ReadUInt64LittleEndian(third[i..]));
        }

        return AfterLane(AfterLane(a) ^ b) ^ c;
    }

    /// <summary>The sum as it is a lane of zeroes later. Without the inversions at both ends sums are linear, so that what
    /// follows can be summed apart, and added.</summary>
    static uint AfterLane(uint crc) =>
        s_afterLane[(byte)crc] ^ s_afterLane[256 + (byte)(crc >> 8)]
        ^ s_afterLane[512 + (byte)(crc >> 16)] ^ s_afterLane[768 + (crc >> 24)];

    /// <returns>For each byte of a sum, what each of its values has become.</returns>
    static uint[] MakeAfterLane()
    {
        var zeroes = new byte[LaneBytes];
        var bits = new uint[32];
        for (var bit = 0; bit < bits.Length; bit++)
        {
            bits[bit] = Scalar(1u << bit, zeroes);
        }

        var after = new uint[4 * 256];
        for (var i = 0; i < after.Length; i++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                after[i] ^= (i >> bit & 1) != 0 ? bits[(i >> 8) * 8 + bit] : 0;
            }
        }

        return after;
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
