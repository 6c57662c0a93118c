using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>A stored number format, as static members on a marker type: kernels are written once over it.</summary>
unsafe interface IElement
{
    static abstract int Bytes { get; }

    /// <summary>Lanes elements from <paramref name="index"/> on, as f32.</summary>
    static abstract V Load<S, V>(byte* source, nint index) where S : struct, ISimd<V> where V : struct;

    static abstract void Store<S, V>(V value, byte* target, nint index) where S : struct, ISimd<V> where V : struct;
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
}
