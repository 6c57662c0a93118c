using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>
/// 256 columns in 8 groups of 32: f16 scale and f16 minimum of the block, 12 bytes with a 6-bit scale and minimum of each
/// group, then halves: 32 bytes hold a group in their low halves and the next in their high ones.
/// </summary>
static unsafe class Groups
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>What each group's numbers are multiplied by, and what is added then.</summary>
    [MethodImpl(Inline)]
    public static void Read(byte* block, float* scales)
    {
        var a = Unsafe.ReadUnaligned<uint>(block + 4);
        var b = Unsafe.ReadUnaligned<uint>(block + 8);
        var c = Unsafe.ReadUnaligned<uint>(block + 12);
        var high = (a & 0x3F3F3F3F) | ((ulong)((c & 0x0F0F0F0F) | ((a >> 2) & 0x30303030)) << 32);
        var low = (b & 0x3F3F3F3F) | ((ulong)(((c >> 4) & 0x0F0F0F0F) | ((b >> 2) & 0x30303030)) << 32);
        (Simd256.LoadI8((sbyte*)&high) * Blocks.ReadScale(block)).Store(scales);
        (Simd256.LoadI8((sbyte*)&low) * -Blocks.ReadScale(block + 2)).Store(scales + Blocks.Offsets);
    }
}

readonly unsafe struct WeightQ4K : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 144;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales) => Groups.Read(stretch, scales);

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct
    {
        var scale = scales + (column >> 5);
        return S.LoadHalves(stretch + 16 + (column >> 6) * 32 + (column & 31), (int)(column >> 3) & 4,
            S.Set(scale[0]), S.Set(scale[Blocks.Offsets]));
    }

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, scales, column), Load<S, V>(stretch, scales, column + S.Lanes));
}

readonly unsafe struct WeightQ5K : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 176;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales) => Groups.Read(stretch, scales);

    /// <summary>Bit g of byte c of the 32 before the halves is the fifth bit of column c of group g.</summary>
    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct
    {
        var scale = scales + (column >> 5);
        var low = S.LoadField(stretch + 48 + (column >> 6) * 32 + (column & 31), (int)(column >> 3) & 4, 15);
        var fifth = S.LoadField(stretch + 16 + (column & 31), (int)(column >> 5), 1);
        return S.Fma(S.Fma(fifth, S.Set(16), low), S.Set(scale[0]), S.Set(scale[Blocks.Offsets]));
    }

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, scales, column), Load<S, V>(stretch, scales, column + S.Lanes));
}

/// <summary>
/// 256 columns in two halves of 128: 64 bytes with the low four bits, 32 with the upper two, 8 scales; the block's f16 scale
/// comes last. Column c of a half: bytes c % 64, low or high half by c / 64; bytes c % 32 at bit 2 (c / 32).
/// </summary>
readonly unsafe struct WeightQ6K : IWeight
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Stretch => 256;

    public static int StretchBytes => 210;

    [MethodImpl(Inline)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
        var scale = Blocks.ReadScale(stretch + 208);
        (Simd256.LoadI8((sbyte*)stretch + 192) * scale).Store(scales);
        (Simd256.LoadI8((sbyte*)stretch + 200) * scale).Store(scales + 8);
    }

    [MethodImpl(Inline)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct
    {
        var low = S.LoadField(stretch + ((column >> 1) & 64) + (column & 63), (int)(column >> 4) & 4, 15);
        var high = S.LoadField(stretch + 128 + ((column >> 2) & 32) + (column & 31), (int)(column >> 4) & 6, 3);
        return S.Mul(S.Set(scales[column >> 4]), S.Fma(high, S.Set(16), S.Sub(low, S.Set(32))));
    }

    [MethodImpl(Inline)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, scales, column), Load<S, V>(stretch, scales, column + S.Lanes));
}
