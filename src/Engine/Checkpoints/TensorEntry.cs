namespace Hearth.Engine.Checkpoints;

/// <summary>How a tensor's numbers are stored, in the words of the safetensors format.</summary>
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
}

static class StoredTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this StoredType type) => type switch
    {
        StoredType.F64 or StoredType.I64 or StoredType.U64 => 8,
        StoredType.F32 or StoredType.I32 or StoredType.U32 => 4,
        StoredType.F16 or StoredType.BF16 or StoredType.I16 or StoredType.U16 => 2,
        _ => 1,
    };
}

/// <summary>One tensor of a safetensors file.</summary>
/// <param name="Shape">Row-major; empty for a scalar.</param>
/// <param name="Offset">First byte in the file.</param>
/// <param name="Length">Bytes.</param>
sealed record TensorEntry(string Name, StoredType Type, long[] Shape, long Offset, long Length)
{
    public long Elements => Length / Type.Size();

    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}
