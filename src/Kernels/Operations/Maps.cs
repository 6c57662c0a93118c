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

/// <summary>max(x, 0)^2.</summary>
readonly struct ReluSquaredMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct
    {
        var positive = ReluMap.Of<S, V>(a, b, scalar);
        return S.Mul(positive, positive);
    }
}

/// <summary>f(a) * b.</summary>
readonly struct Gated<M> : IMap where M : struct, IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct =>
        S.Mul(M.Of<S, V>(a, b, scalar), b);
}

readonly struct AddScaledMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct =>
        S.Fma(b, S.Set(scalar), a);
}

/// <summary>The operand that may be NaN goes second: the machine's min and max return that one.</summary>
readonly struct ClipMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct =>
        S.Min(S.Set(scalar), S.Max(S.Set(-scalar), a));
}

/// <summary>scalar * tanh(a / scalar).</summary>
readonly struct SoftCapMap : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<S, V>(V a, V b, float scalar) where S : struct, ISimd<V> where V : struct =>
        S.Mul(S.Set(scalar), SimdMath<S, V>.Tanh(S.Div(a, S.Set(scalar))));
}
