using System.Buffers.Binary;

namespace Hearth.Kernels.Tests;

/// <summary>Rows of every weight format, random but sound, and what they stand for: read number by number, in doubles.</summary>
static class PlainWeights
{
    public static DType[] Formats { get; } = [.. Enum.GetValues<DType>().Where(type => !type.IsWide())];

    /// <summary>Random bytes with small scales at an odd address.</summary>
    public static NativeBuffer Store(DType type, int seed, int rows, int columns, out TensorMemory memory)
    {
        var bytes = new byte[rows * type.RowBytes(columns)];
        var random = new Random(seed);
        random.NextBytes(bytes);
        for (var at = 0; at < bytes.Length; at += type.BlockBytes())
        {
            var block = bytes.AsSpan(at, type.BlockBytes());
            switch (type)
            {
                case DType.F8E4M3 or DType.F8E5M2:
                    block[0] &= 0xBB; // No infinities or NaN.
                    break;
                case DType.F8E4M3Scaled or DType.F8E5M2Scaled:
                    BinaryPrimitives.WriteSingleLittleEndian(block, random.NextSingle() / 64);
                    foreach (ref var b in block[4..])
                        b &= 0xBB;
                    break;
                case DType.Q6K:
                    BinaryPrimitives.WriteHalfLittleEndian(block[208..], (Half)(random.NextSingle() / 4096));
                    break;
                default:
                    BinaryPrimitives.WriteHalfLittleEndian(block, (Half)(random.NextSingle() / 64));
                    if (type == DType.Q4Zero)
                        BinaryPrimitives.WriteHalfLittleEndian(block[2..], (Half)random.Next(17));
                    if (type is DType.Q4Min or DType.Q5Min or DType.Q4K or DType.Q5K)
                        BinaryPrimitives.WriteHalfLittleEndian(block[2..], (Half)(random.NextSingle() - 0.5f));
                    break;
            }
        }
        var buffer = new NativeBuffer(bytes.Length + 1);
        bytes.CopyTo(buffer.AsSpan<byte>(1, bytes.Length));
        memory = buffer.Memory.Slice(1, bytes.Length);
        return buffer;
    }

    public static double[] Row(DType type, ReadOnlySpan<byte> row, int columns)
    {
        var numbers = new double[columns];
        for (var i = 0; i < columns; i++)
        {
            var block = row.Slice(i / type.BlockColumns() * type.BlockBytes(), type.BlockBytes());
            numbers[i] = Number(type, block, i % type.BlockColumns());
        }
        return numbers;
    }

    public static double F8(byte bits, int mantissaBits, int bias)
    {
        var (exponent, mantissa) = ((bits & 127) >> mantissaBits, bits & ((1 << mantissaBits) - 1));
        var exponentMax = (1 << (7 - mantissaBits)) - 1;
        var sign = bits >= 128 ? -1.0 : 1.0;
        if (mantissaBits == 2 && exponent == exponentMax)
            return mantissa == 0 ? sign * double.PositiveInfinity : double.NaN;
        if (mantissaBits == 3 && (bits & 127) == 127)
            return double.NaN;
        var scale = Math.Pow(2, Math.Max(exponent, 1) - bias - mantissaBits);
        return sign * scale * (mantissa + (exponent == 0 ? 0 : 1 << mantissaBits));
    }

    static double Number(DType type, ReadOnlySpan<byte> block, int i) => type switch
    {
        DType.F8E4M3 => F8(block[0], 3, 7),
        DType.F8E5M2 => F8(block[0], 2, 15),
        DType.F8E4M3Scaled => BinaryPrimitives.ReadSingleLittleEndian(block) * F8(block[4 + i], 3, 7),
        DType.F8E5M2Scaled => BinaryPrimitives.ReadSingleLittleEndian(block) * F8(block[4 + i], 2, 15),
        DType.Q8 => F16(block) * (sbyte)block[2 + i],
        DType.Q4 => F16(block) * (Half4(block[2..], i) - 8),
        DType.Q4Min => F16(block) * Half4(block[4..], i) + F16(block[2..]),
        DType.Q4Zero => F16(block) * (Half4(block[4..], i) - F16(block[2..])),
        DType.Q5 => F16(block) * (Half4(block[6..], i) + 16 * Bit(block[2..], i) - 16),
        DType.Q5Min => F16(block) * (Half4(block[8..], i) + 16 * Bit(block[4..], i)) + F16(block[2..]),
        DType.Q4K => Group(block, i, Half4Of64(block[16..], i)),
        DType.Q5K => Group(block, i, Half4Of64(block[48..], i) + 16 * ((block[16 + i % 32] >> (i / 32)) & 1)),
        DType.Q6K => F16(block[208..]) * (sbyte)block[192 + i / 16] * (Low6(block, i) + 16 * High6(block, i) - 32),
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    static double F16(ReadOnlySpan<byte> at) => (double)BinaryPrimitives.ReadHalfLittleEndian(at);

    static int Half4(ReadOnlySpan<byte> halves, int i) => i < 16 ? halves[i] & 15 : halves[i - 16] >> 4;

    static int Bit(ReadOnlySpan<byte> bits, int i) => (bits[i / 8] >> (i % 8)) & 1;

    static int Half4Of64(ReadOnlySpan<byte> halves, int i)
    {
        var pair = halves[i / 64 * 32 + i % 32];
        return i % 64 < 32 ? pair & 15 : pair >> 4;
    }

    static double Group(ReadOnlySpan<byte> block, int i, int number)
    {
        var g = i / 32;
        var p = block[4..16];
        var scale = g < 4 ? p[g] % 64 : p[g + 4] % 16 + 16 * (p[g - 4] / 64);
        var minimum = g < 4 ? p[g + 4] % 64 : p[g + 4] / 16 + 16 * (p[g] / 64);
        return F16(block) * scale * number - F16(block[2..]) * minimum;
    }

    static int Low6(ReadOnlySpan<byte> block, int i)
    {
        var pair = block[i / 128 * 64 + i % 64];
        return i % 128 < 64 ? pair & 15 : pair >> 4;
    }

    static int High6(ReadOnlySpan<byte> block, int i) => (block[128 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
}
