using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>Elementary functions to about one unit in the last place of f32; NaN in, NaN out.</summary>
static class SimdMath<S, V> where S : struct, ISimd<V> where V : struct
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>e^x by reduction to |r| at most ln(2)/2 and a polynomial of degree 6 (coefficients of Cephes' expf).</summary>
    [MethodImpl(Inline)]
    public static V Exp(V x)
    {
        // The operand that may be NaN goes second: the machine's min and max return that one.
        var bounded = S.Min(S.Set(89f), S.Max(S.Set(-104f), x));
        var n = S.Round(S.Mul(bounded, S.Set(1.44269504f)));
        var r = S.Fma(n, S.Set(-0.693359375f), bounded);
        r = S.Fma(n, S.Set(2.12194440e-4f), r);
        var p = S.Fma(S.Set(1.9875691500e-4f), r, S.Set(1.3981999507e-3f));
        p = S.Fma(p, r, S.Set(8.3334519073e-3f));
        p = S.Fma(p, r, S.Set(4.1665795894e-2f));
        p = S.Fma(p, r, S.Set(1.6666665459e-1f));
        p = S.Fma(p, r, S.Set(5.0000001201e-1f));
        p = S.Fma(p, S.Mul(r, r), S.Add(r, S.Set(1f)));
        // In two factors, so that results next to overflow and below the smallest normal come out right.
        var half = S.Round(S.Mul(n, S.Set(0.5f)));
        return S.Mul(S.Mul(p, S.Exp2(half)), S.Exp2(S.Sub(n, half)));
    }

    [MethodImpl(Inline)]
    public static V Sigmoid(V x) => S.Div(S.Set(1f), S.Add(S.Set(1f), Exp(S.Sub(S.Set(0f), x))));

    /// <summary>A polynomial near zero, 1 - 2 / (e^2x + 1) beyond.</summary>
    [MethodImpl(Inline)]
    public static V Tanh(V x)
    {
        var magnitude = S.Abs(x);
        var square = S.Mul(x, x);
        var p = S.Fma(S.Set(-5.70498872745e-3f), square, S.Set(2.06390887954e-2f));
        p = S.Fma(p, square, S.Set(-5.37397155531e-2f));
        p = S.Fma(p, square, S.Set(1.33314422036e-1f));
        p = S.Fma(p, square, S.Set(-3.33332819422e-1f));
        var near = S.Fma(S.Mul(p, square), x, x);
        var far = S.Sub(S.Set(1f), S.Div(S.Set(2f), S.Add(Exp(S.Add(magnitude, magnitude)), S.Set(1f))));
        far = S.IfLess(x, S.Set(0f), S.Sub(S.Set(0f), far), far);
        return S.IfLess(magnitude, S.Set(0.625f), near, far);
    }

    /// <summary>x P(x^2) up to 1, 1 - e^Q(x) beyond; P and Q are minimax fits made for this file.</summary>
    [MethodImpl(Inline)]
    public static V Erf(V x)
    {
        var magnitude = S.Abs(x);
        var square = S.Mul(x, x);
        var p = S.Fma(S.Set(7.875875047e-05f), square, S.Set(-8.016864282e-04f));
        p = S.Fma(p, square, S.Set(5.189087423e-03f));
        p = S.Fma(p, square, S.Set(-2.685421201e-02f));
        p = S.Fma(p, square, S.Set(1.128359472e-01f));
        p = S.Fma(p, square, S.Set(-3.761262667e-01f));
        p = S.Fma(p, square, S.Set(1.128379166e+00f));
        var near = S.Mul(p, x);
        var t = S.Min(S.Set(4f), magnitude);
        var q = S.Fma(S.Set(1.643063656e-06f), t, S.Set(-4.616385863e-05f));
        q = S.Fma(q, t, S.Set(5.975857704e-04f));
        q = S.Fma(q, t, S.Set(-4.762625833e-03f));
        q = S.Fma(q, t, S.Set(2.642763716e-02f));
        q = S.Fma(q, t, S.Set(-1.100871665e-01f));
        q = S.Fma(q, t, S.Set(-6.318239181e-01f));
        q = S.Fma(q, t, S.Set(-1.130231055e+00f));
        q = S.Fma(q, t, S.Set(3.185396644e-04f));
        var far = S.Sub(S.Set(1f), Exp(q));
        far = S.IfLess(x, S.Set(0f), S.Sub(S.Set(0f), far), far);
        return S.IfLess(magnitude, S.Set(1f), near, far);
    }
}
