using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>A stored number format, as static members on a marker type: kernels are written once over it.</summary>
unsafe interface IElement
{
    static abstract int Bytes { get; }

    /// <summary>Lanes elements from <paramref name="index"/> on, as f32.</summary>
    static abstract V Load<S, V>(byte* source, nint index) where S : struct, ISimd<V> where V : struct;

    static abstract void Store<S, V>(V value, byte* target, nint index) where S : struct, ISimd<V> where V : struct;

    /// <summary>2 x Lanes elements in whatever order is cheapest: <see cref="PairsInterleave"/> says which.</summary>
    static abstract void LoadPair<S, V>(byte* source, nint index, out V first, out V second)
        where S : struct, ISimd<V> where V : struct;

    /// <summary>Whether a pair holds the even and the odd elements, not the first and the second half.</summary>
    static abstract bool PairsInterleave { get; }
}

readonly unsafe struct ElementF32 : IElement
{
    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<S, V>(byte* source, nint index) where S : struct, ISimd<V> where V : struct =>
        S.Load((float*)source + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, V>(V value, byte* target, nint index) where S : struct, ISimd<V> where V : struct =>
        S.Store(value, (float*)target + index);

    public static bool PairsInterleave => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<S, V>(byte* source, nint index, out V first, out V second)
        where S : struct, ISimd<V> where V : struct
    {
        first = S.Load((float*)source + index);
        second = S.Load((float*)source + index + S.Lanes);
    }
}

readonly unsafe struct ElementF16 : IElement
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<S, V>(byte* source, nint index) where S : struct, ISimd<V> where V : struct =>
        S.LoadF16((ushort*)source + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, V>(V value, byte* target, nint index) where S : struct, ISimd<V> where V : struct =>
        S.StoreF16(value, (ushort*)target + index);

    public static bool PairsInterleave => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<S, V>(byte* source, nint index, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        S.LoadPairF16((ushort*)source + index, out first, out second);
}

readonly unsafe struct ElementBF16 : IElement
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<S, V>(byte* source, nint index) where S : struct, ISimd<V> where V : struct =>
        S.LoadBF16((ushort*)source + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S, V>(V value, byte* target, nint index) where S : struct, ISimd<V> where V : struct =>
        S.StoreBF16(value, (ushort*)target + index);

    public static bool PairsInterleave => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<S, V>(byte* source, nint index, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        S.LoadPairBF16((ushort*)source + index, out first, out second);
}
