using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>
/// A format of stored weights, as static members on a marker type: kernels are written once over it. A row is read in
/// stretches, for which scales are prepared once.
/// </summary>
unsafe interface IWeight
{
    /// <summary>Columns of a stretch: whole blocks, and a divisor of <see cref="ReductionOrder.BlockK"/>.</summary>
    static abstract int Stretch { get; }

    static abstract int StretchBytes { get; }

    /// <summary>Reads the scales of a stretch, of which <paramref name="columns"/> are there.</summary>
    /// <param name="scales">Room for <see cref="StretchScales.Count"/>.</param>
    static abstract void Prepare(byte* stretch, int columns, float* scales);

    /// <summary>Lanes elements from <paramref name="column"/> on, a multiple of Lanes, as f32.</summary>
    static abstract V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct;

    /// <summary>2 x Lanes elements from <paramref name="column"/> on, a multiple of that: the first half and the
    /// second.</summary>
    static abstract void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct;
}

static class StretchScales
{
    public const int Count = 16;
}

/// <summary>A number format of its own, no block: activations, keys and values are stored so too.</summary>
unsafe interface IElement : IWeight
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

    public static int Stretch => ReductionOrder.BlockK;

    public static int StretchBytes => ReductionOrder.BlockK * Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        Load<S, V>(stretch, column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, column), Load<S, V>(stretch, column + S.Lanes));

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

    public static int Stretch => ReductionOrder.BlockK;

    public static int StretchBytes => ReductionOrder.BlockK * Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        Load<S, V>(stretch, column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, column), Load<S, V>(stretch, column + S.Lanes));

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

    public static int Stretch => ReductionOrder.BlockK;

    public static int StretchBytes => ReductionOrder.BlockK * Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prepare(byte* stretch, int columns, float* scales)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<S, V>(byte* stretch, float* scales, nint column) where S : struct, ISimd<V> where V : struct =>
        Load<S, V>(stretch, column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadTwo<S, V>(byte* stretch, float* scales, nint column, out V first, out V second)
        where S : struct, ISimd<V> where V : struct =>
        (first, second) = (Load<S, V>(stretch, column), Load<S, V>(stretch, column + S.Lanes));

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
