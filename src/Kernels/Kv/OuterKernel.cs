using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>
/// C[r][c] += sum over t of x[r][t] M[t][c], t ascending, one fused multiply-add each. Scores are this with M the keys laid across
/// (t a dimension, c a key); the weighted sum of values is this with t a key and c a dimension. An element's arithmetic is the
/// same for any number of rows beside it.
/// </summary>
static unsafe class OuterKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <param name="o">Rows: 1, 4 or a multiple of 8. Columns: a multiple of 32.</param>
    /// <param name="ahead">Memory that is wanted next: a line is fetched with each t.</param>
    public static void Add<E>(in OuterArguments o, byte* ahead) where E : struct, IElement
    {
        for (nint column = 0; column < o.Columns; column += 2 * S.Lanes)
        {
            var row = 0;
            for (; S.Lanes == 16 && row <= o.Rows - 8; row += 8)
            {
                Eight<E>(o, o.X + row * o.XStride, o.C + row * o.CStride + column, column);
            }
            for (; row <= o.Rows - 4; row += 4)
            {
                Four<E>(o, o.X + row * o.XStride, o.C + row * o.CStride + column, column, ahead);
            }
            for (; row < o.Rows; row++)
            {
                One<E>(o, o.X + row * o.XStride, o.C + row * o.CStride + column, column, ahead);
            }
            ahead += o.Count * 64;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void One<E>(in OuterArguments o, float* x, float* c, nint column, byte* ahead) where E : struct, IElement
    {
        V c0 = S.Load(c), c1 = S.Load(c + S.Lanes);
        var (count, stride, m) = (o.Count, o.MStride, column);
        var source = o.M;
        for (var t = 0; t < count; t++, m += stride, ahead += 64)
        {
            var w = S.Set(x[t]);
            c0 = S.Fma(w, E.Load<S, V>(source, m), c0);
            c1 = S.Fma(w, E.Load<S, V>(source, m + S.Lanes), c1);
            Memory.Prefetch(ahead);
        }
        S.Store(c0, c);
        S.Store(c1, c + S.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Four<E>(in OuterArguments o, float* x, float* c, nint column, byte* ahead) where E : struct, IElement
    {
        var (count, stride, m, xs, cs) = (o.Count, o.MStride, column, o.XStride, o.CStride);
        var source = o.M;
        V c00 = S.Load(c), c01 = S.Load(c + S.Lanes), c10 = S.Load(c + cs), c11 = S.Load(c + cs + S.Lanes);
        V c20 = S.Load(c + 2 * cs), c21 = S.Load(c + 2 * cs + S.Lanes), c30 = S.Load(c + 3 * cs), c31 = S.Load(c + 3 * cs + S.Lanes);
        for (var t = 0; t < count; t++, m += stride, x++, ahead += 64)
        {
            V m0 = E.Load<S, V>(source, m), m1 = E.Load<S, V>(source, m + S.Lanes);
            var w = S.Set(x[0]);
            c00 = S.Fma(w, m0, c00);
            c01 = S.Fma(w, m1, c01);
            w = S.Set(x[xs]);
            c10 = S.Fma(w, m0, c10);
            c11 = S.Fma(w, m1, c11);
            w = S.Set(x[2 * xs]);
            c20 = S.Fma(w, m0, c20);
            c21 = S.Fma(w, m1, c21);
            w = S.Set(x[3 * xs]);
            c30 = S.Fma(w, m0, c30);
            c31 = S.Fma(w, m1, c31);
            Memory.Prefetch(ahead);
        }
        S.Store(c00, c);
        S.Store(c01, c + S.Lanes);
        S.Store(c10, c + cs);
        S.Store(c11, c + cs + S.Lanes);
        S.Store(c20, c + 2 * cs);
        S.Store(c21, c + 2 * cs + S.Lanes);
        S.Store(c30, c + 3 * cs);
        S.Store(c31, c + 3 * cs + S.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Eight<E>(in OuterArguments o, float* x, float* c, nint column) where E : struct, IElement
    {
        var (count, stride, m, xs, cs) = (o.Count, o.MStride, column, o.XStride, o.CStride);
        var source = o.M;
        float* x4 = x + 4 * xs, d = c + 4 * cs;
        V c00 = S.Load(c), c01 = S.Load(c + S.Lanes), c10 = S.Load(c + cs), c11 = S.Load(c + cs + S.Lanes);
        V c20 = S.Load(c + 2 * cs), c21 = S.Load(c + 2 * cs + S.Lanes), c30 = S.Load(c + 3 * cs), c31 = S.Load(c + 3 * cs + S.Lanes);
        V c40 = S.Load(d), c41 = S.Load(d + S.Lanes), c50 = S.Load(d + cs), c51 = S.Load(d + cs + S.Lanes);
        V c60 = S.Load(d + 2 * cs), c61 = S.Load(d + 2 * cs + S.Lanes), c70 = S.Load(d + 3 * cs), c71 = S.Load(d + 3 * cs + S.Lanes);
        for (var t = 0; t < count; t++, m += stride, x++, x4++)
        {
            V m0 = E.Load<S, V>(source, m), m1 = E.Load<S, V>(source, m + S.Lanes);
            V w0 = S.Set(x[0]), w1 = S.Set(x[xs]), w2 = S.Set(x[2 * xs]), w3 = S.Set(x[3 * xs]);
            (c00, c01) = (S.Fma(w0, m0, c00), S.Fma(w0, m1, c01));
            (c10, c11) = (S.Fma(w1, m0, c10), S.Fma(w1, m1, c11));
            (c20, c21) = (S.Fma(w2, m0, c20), S.Fma(w2, m1, c21));
            (c30, c31) = (S.Fma(w3, m0, c30), S.Fma(w3, m1, c31));
            V w4 = S.Set(x4[0]), w5 = S.Set(x4[xs]), w6 = S.Set(x4[2 * xs]), w7 = S.Set(x4[3 * xs]);
            (c40, c41) = (S.Fma(w4, m0, c40), S.Fma(w4, m1, c41));
            (c50, c51) = (S.Fma(w5, m0, c50), S.Fma(w5, m1, c51));
            (c60, c61) = (S.Fma(w6, m0, c60), S.Fma(w6, m1, c61));
            (c70, c71) = (S.Fma(w7, m0, c70), S.Fma(w7, m1, c71));
        }
        Store(c, c00, c01);
        Store(c + cs, c10, c11);
        Store(c + 2 * cs, c20, c21);
        Store(c + 3 * cs, c30, c31);
        Store(d, c40, c41);
        Store(d + cs, c50, c51);
        Store(d + 2 * cs, c60, c61);
        Store(d + 3 * cs, c70, c71);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(float* c, V first, V second)
    {
        S.Store(first, c);
        S.Store(second, c + S.Lanes);
    }
}

/// <summary>Arguments of <see cref="OuterKernel{S, V}"/>; strides in elements.</summary>
readonly unsafe struct OuterArguments(float* x, nint xStride, byte* m, nint mStride, int count, float* c, nint cStride, int columns, int rows)
{
    public readonly float* X = x, C = c;
    public readonly byte* M = m;
    public readonly nint XStride = xStride, MStride = mStride, CStride = cStride;
    public readonly int Count = count, Columns = columns, Rows = rows;
}
