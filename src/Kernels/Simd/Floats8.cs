using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>NaN comes out as 480: no writer of weights makes it.</summary>
readonly unsafe struct WeightF8E4M3 : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => ReductionOrder.BlockK;

    public static int StretchBytes => ReductionOrder.BlockK;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
    }

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        S.LoadF8((sbyte*)stretch + column, 20, unchecked((int)0x87F00000), 1.329227995784916e36f);

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, scales, column), Load<S, V>(stretch, scales, column + S.Lanes));
}

/// <summary>Infinities and NaN come out as numbers from 65,536 on: no writer of weights makes them.</summary>
readonly unsafe struct WeightF8E5M2 : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => ReductionOrder.BlockK;

    public static int StretchBytes => ReductionOrder.BlockK;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
    }

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        S.LoadF8((sbyte*)stretch + column, 21, unchecked((int)0x8FE00000), Half16.Rebias);

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, scales, column), Load<S, V>(stretch, scales, column + S.Lanes));
}

/// <summary>128 columns: f32 scale, then bytes in the format E.</summary>
readonly unsafe struct WeightScaled<E> : IWeight where E : struct, IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 2 * 132;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
        scales[0] = Unsafe.ReadUnaligned<float>(stretch);
        if (columns > 128)
        {
            scales[1] = Unsafe.ReadUnaligned<float>(stretch + 132);
        }
    }

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        S.Mul(S.Set(scales[column >> 7]), E.Load<S, V>(stretch + (column >> 7) * 132 + 4, scales, column & 127));

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, scales, column), Load<S, V>(stretch, scales, column + S.Lanes));
}
