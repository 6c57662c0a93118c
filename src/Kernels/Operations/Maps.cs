using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>One element-wise function, over any width.</summary>
interface IMap
{
    static abstract V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct;
}

readonly struct AddMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct => S.Add(a, b);
}

readonly struct AddScalarMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct => S.Add(a, S.Set(scalar));
}

readonly struct ScaleMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct => S.Mul(a, S.Set(scalar));
}

readonly struct ReluMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct => S.Max(S.Set(0), a);
}

readonly struct SiluMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct =>
        S.Mul(a, SimdMath<S, V>.Sigmoid(a));
}

/// <summary>0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).</summary>
readonly struct GeluTanhMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct
    {
        var cube = S.Mul(S.Mul(a, a), a);
        var inner = S.Mul(S.Set(0.7978845608f), S.Fma(S.Set(0.044715f), cube, a));
        return S.Mul(S.Mul(S.Set(0.5f), a), S.Add(S.Set(1f), SimdMath<S, V>.Tanh(inner)));
    }
}

/// <summary>0.5 x (1 + erf(x / sqrt(2))).</summary>
readonly struct GeluErfMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct =>
        S.Mul(S.Mul(S.Set(0.5f), a), S.Add(S.Set(1f), SimdMath<S, V>.Erf(S.Mul(a, S.Set(0.70710678f)))));
}

readonly struct SwiGluMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct =>
        S.Mul(SiluMap.Of<S, V>(a, b, scalar), b);
}

readonly struct GeGluMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct =>
        S.Mul(GeluTanhMap.Of<S, V>(a, b, scalar), b);
}
