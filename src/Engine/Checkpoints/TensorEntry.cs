using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>How a tensor's numbers are stored: first the words of the safetensors format, then those that only GGUF
/// has.</summary>
enum StoredType
{
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    BOOL,
    U16,
    U32,
    U64,
    F8_E4M3,
    F8_E5M2,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4_K,
    Q5_K,
    Q6_K,
}

static class StoredTypes
{
    public static bool IsBlock(this StoredType type) => type >= StoredType.Q4_0;

    /// <summary>The format that kernels know it by; null for one that is no weight's.</summary>
    public static DType? Weight(this StoredType type) => type switch
    {
        StoredType.F32 => DType.F32,
        StoredType.F16 => DType.F16,
        StoredType.BF16 => DType.BF16,
        StoredType.F8_E4M3 => DType.F8E4M3,
        StoredType.F8_E5M2 => DType.F8E5M2,
        StoredType.Q4_0 => DType.Q4,
        StoredType.Q4_1 => DType.Q4Min,
        StoredType.Q5_0 => DType.Q5,
        StoredType.Q5_1 => DType.Q5Min,
        StoredType.Q8_0 => DType.Q8,
        StoredType.Q4_K => DType.Q4K,
        StoredType.Q5_K => DType.Q5K,
        StoredType.Q6_K => DType.Q6K,
        _ => null,
    };

    /// <summary>Bytes of one element of a safetensors type.</summary>
    public static int Size(this StoredType type) => type switch
    {
        StoredType.F64 or StoredType.I64 or StoredType.U64 => 8,
        StoredType.F32 or StoredType.I32 or StoredType.U32 => 4,
        StoredType.F16 or StoredType.BF16 or StoredType.I16 or StoredType.U16 => 2,
        _ => 1,
    };
}

/// <summary>One tensor of a file.</summary>
/// <param name="Shape">Row-major; empty for a scalar.</param>
/// <param name="Offset">First byte in the file.</param>
/// <param name="Length">Bytes.</param>
sealed record TensorEntry(string Name, StoredType Type, long[] Shape, long Offset, long Length)
{
    public long Elements => Shape.Aggregate(1L, (product, extent) => product * extent);

    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}
