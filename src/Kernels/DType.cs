namespace Hearth.Kernels;

/// <summary>
/// How numbers are stored; arithmetic is always f32. The first three hold activations, keys and values too, the others weights
/// only. Formats in blocks share a scale among the columns of a block, little-endian; a row's last block is filled with
/// zeros. Their weights are exact f32 numbers but for Q4Min, Q5Min, Q4K and Q5K and the scaled f8, which round once.
/// </summary>
public enum DType
{
    F32,
    F16,
    BF16,

    /// <summary>OCP f8 with 4 exponent bits: finite up to 448, no infinities.</summary>
    F8E4M3,

    /// <summary>OCP f8 with 5 exponent bits: the upper half of an f16.</summary>
    F8E5M2,

    /// <summary>128 columns: f32 scale, then F8E4M3.</summary>
    F8E4M3Scaled,

    /// <summary>128 columns: f32 scale, then F8E5M2.</summary>
    F8E5M2Scaled,

    /// <summary>32 columns: f16 scale, then int8 (GGUF's Q8_0).</summary>
    Q8,

    /// <summary>32 columns: f16 scale, then 16 bytes: low halves are columns 0 to 15, high ones 16 to 31; less 8.</summary>
    Q4,

    /// <summary>32 columns: f16 scale and f16 minimum, then as Q4 without the 8 (Q4_1).</summary>
    Q4Min,

    /// <summary>32 columns: f16 scale and f16 zero, then as Q4Min: scale * (number - zero). For GPTQ and AWQ.</summary>
    Q4Zero,

    /// <summary>32 columns: f16 scale, 32 fifth bits, then as Q4, less 16 (Q5_0).</summary>
    Q5,

    /// <summary>32 columns: f16 scale, f16 minimum, 32 fifth bits, then as Q4 (Q5_1).</summary>
    Q5Min,

    /// <summary>256 columns in 8 groups with 6-bit scales and minimums, 4 bits each (Q4_K).</summary>
    Q4K,

    /// <summary>256 columns in 8 groups with 6-bit scales and minimums, 5 bits each (Q5_K).</summary>
    Q5K,

    /// <summary>256 columns in 16 groups with 8-bit scales, 6 bits each (Q6_K).</summary>
    Q6K,
}

public static class DTypes
{
    /// <summary>Whether activations, keys and values may be stored so.</summary>
    public static bool IsWide(this DType type) => type is DType.F32 or DType.F16 or DType.BF16;

    /// <summary>Bytes of one element.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The format is one of blocks.</exception>
    public static int Size(this DType type) => type.BlockColumns() == 1
        ? type.BlockBytes()
        : throw new ArgumentOutOfRangeException(nameof(type), type, "is stored in blocks: ask for the bytes of a row");

    /// <summary>Columns that are stored together.</summary>
    public static int BlockColumns(this DType type) => type switch
    {
        DType.F32 or DType.F16 or DType.BF16 or DType.F8E4M3 or DType.F8E5M2 => 1,
        DType.Q8 or DType.Q4 or DType.Q4Min or DType.Q4Zero or DType.Q5 or DType.Q5Min => 32,
        DType.F8E4M3Scaled or DType.F8E5M2Scaled => 128,
        DType.Q4K or DType.Q5K or DType.Q6K => 256,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no such dtype"),
    };

    public static int BlockBytes(this DType type) => type switch
    {
        DType.F32 => 4,
        DType.F16 or DType.BF16 => 2,
        DType.F8E4M3 or DType.F8E5M2 => 1,
        DType.F8E4M3Scaled or DType.F8E5M2Scaled => 4 + 128,
        DType.Q8 => 2 + 32,
        DType.Q4 => 2 + 16,
        DType.Q4Min or DType.Q4Zero => 4 + 16,
        DType.Q5 => 2 + 4 + 16,
        DType.Q5Min => 4 + 4 + 16,
        DType.Q4K => 4 + 12 + 128,
        DType.Q5K => 4 + 12 + 32 + 128,
        DType.Q6K => 128 + 64 + 16 + 2,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no such dtype"),
    };

    /// <summary>Bytes of a row of so many columns.</summary>
    public static long RowBytes(this DType type, long columns) =>
        (columns + type.BlockColumns() - 1) / type.BlockColumns() * type.BlockBytes();
}
