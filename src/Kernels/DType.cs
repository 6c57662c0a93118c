namespace Hearth.Kernels;

/// <summary>How a number is stored. Arithmetic is always f32.</summary>
public enum DType
{
    F32,
    F16,
    BF16,
}

public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this DType type) => type switch
    {
        DType.F32 => 4,
        DType.F16 or DType.BF16 => 2,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no such dtype: use F32, F16 or BF16"),
    };
}
