using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>Blocks of 32 columns that begin with an f16 scale, and what is common to them.</summary>
static unsafe class Blocks
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Where a stretch's offsets lie behind its scales.</summary>
    public const int Offsets = 8;

    /// <summary>The f16 numbers at the given places, one per 32 columns. Infinities and NaN come out as numbers from 65,536 on:
    /// no writer of blocks makes them.</summary>
    [MethodImpl(Inline)]
    public static void ReadScales(byte* first, nint stride, int columns, float* scales)
    {
        if (columns < 256)
        {
            for (var i = 0; i < (columns + 31) >> 5; i++)
            {
                scales[i] = ReadScale(first + i * stride);
            }
            return;
        }
        // Not through memory: what was written in parts is slow to read as a whole.
        var all = Vector128.Create(At(first), At(first + stride), At(first + 2 * stride), At(first + 3 * stride),
            At(first + 4 * stride), At(first + 5 * stride), At(first + 6 * stride), At(first + 7 * stride));
        var places = (Vector256.WidenLower(all.ToVector256Unsafe()) << 13) & Vector256.Create(Half16.Places);
        (places.AsSingle() * Half16.Rebias).Store(scales);
    }

    /// <summary>An f16 number, as <see cref="ReadScales"/> takes it.</summary>
    [MethodImpl(Inline)]
    public static float ReadScale(byte* source) =>
        BitConverter.Int32BitsToSingle((At(source) << 13) & Half16.Places) * Half16.Rebias;

    [MethodImpl(Inline)]
    static short At(byte* source) => Unsafe.ReadUnaligned<short>(source);

    /// <summary>16 bytes of halves: low ones are columns 0 to 15, high ones 16 to 31.</summary>
    [MethodImpl(Inline)]
    public static V Halves<S, V>(byte* halves, nint column, float* scale) where S : struct, ISimd<V> where V : struct =>
        S.LoadHalves(halves + (column & 15), (int)(column & 16) >> 2, S.Set(scale[0]), S.Set(scale[Offsets]));

    [MethodImpl(Inline)]
    public static void TwoHalves<S, V>(byte* halves, nint column, float* scale, out V first, out V second)
        where S : struct, ISimd<V> where V : struct
    {
        if (S.Lanes == 16)
        {
            first = S.LoadHalves(halves, 0, S.Set(scale[0]), S.Set(scale[Offsets]));
            second = S.LoadHalves(halves, 4, S.Set(scale[0]), S.Set(scale[Offsets]));
            return;
        }
        first = Halves<S, V>(halves, column, scale);
        second = Halves<S, V>(halves, column + S.Lanes, scale);
    }
}

readonly unsafe struct WeightQ8 : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 8 * 34;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales) =>
        Blocks.ReadScales(stretch, 34, columns, scales);

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        S.Mul(S.Set(scales[column >> 5]), S.LoadI8((sbyte*)stretch + (column >> 5) * 34 + 2 + (column & 31)));

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct
    {
        var numbers = (sbyte*)stretch + (column >> 5) * 34 + 2 + (column & 31);
        first = S.Mul(S.Set(scales[column >> 5]), S.LoadI8(numbers));
        second = S.Mul(S.Set(scales[column >> 5]), S.LoadI8(numbers + S.Lanes));
    }
}

readonly unsafe struct WeightQ4 : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 8 * 18;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
        Blocks.ReadScales(stretch, 18, columns, scales);
        (Vector256.Load(scales) * -8).Store(scales + Blocks.Offsets);
    }

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        Blocks.Halves<S, V>(stretch + (column >> 5) * 18 + 2, column, scales + (column >> 5));

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        Blocks.TwoHalves<S, V>(stretch + (column >> 5) * 18 + 2, column, scales + (column >> 5), out first, out second);
}

readonly unsafe struct WeightQ4Min : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 8 * 20;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
        Blocks.ReadScales(stretch, 20, columns, scales);
        Blocks.ReadScales(stretch + 2, 20, columns, scales + Blocks.Offsets);
    }

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        Blocks.Halves<S, V>(stretch + (column >> 5) * 20 + 4, column, scales + (column >> 5));

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        Blocks.TwoHalves<S, V>(stretch + (column >> 5) * 20 + 4, column, scales + (column >> 5), out first, out second);
}

readonly unsafe struct WeightQ4Zero : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 8 * 20;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
        WeightQ4Min.Prepare(stretch, columns, scales);
        // Exact: 11 bits by 5.
        (Vector256.Load(scales) * -Vector256.Load(scales + Blocks.Offsets)).Store(scales + Blocks.Offsets);
    }

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        WeightQ4Min.Load<S, V>(stretch, scales, column);

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        WeightQ4Min.LoadTwo<S, V>(stretch, scales, column, out first, out second);
}

readonly unsafe struct WeightQ5 : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 8 * 22;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales) =>
        Blocks.ReadScales(stretch, 22, columns, scales);

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct
    {
        var block = stretch + (column >> 5) * 22;
        var fifth = S.LaneBits(Unsafe.ReadUnaligned<uint>(block + 2) >> (int)(column & 31));
        var number = S.LoadField(block + 6 + (column & 15), (int)(column & 16) >> 2, 15);
        return S.Mul(S.Set(scales[column >> 5]), S.Fma(fifth, S.Set(16), S.Sub(number, S.Set(16))));
    }

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, scales, column), Load<S, V>(stretch, scales, column + S.Lanes));
}

readonly unsafe struct WeightQ5Min : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 8 * 24;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
        Blocks.ReadScales(stretch, 24, columns, scales);
        Blocks.ReadScales(stretch + 2, 24, columns, scales + Blocks.Offsets);
    }

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct
    {
        var block = stretch + (column >> 5) * 24;
        var scale = scales + (column >> 5);
        var fifth = S.LaneBits(Unsafe.ReadUnaligned<uint>(block + 4) >> (int)(column & 31));
        var number = S.LoadField(block + 8 + (column & 15), (int)(column & 16) >> 2, 15);
        return S.Fma(S.Fma(fifth, S.Set(16), number), S.Set(scale[0]), S.Set(scale[Blocks.Offsets]));
    }

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, scales, column), Load<S, V>(stretch, scales, column + S.Lanes));
}
