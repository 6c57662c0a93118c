using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>
/// C[r][c] += sum over t of x[r][t] M[t][c], t ascending, one fused multiply-add each. Scores are this with M the keys laid
/// across (t a dimension, c a key); the weighted sum of values is this with t a key and c a dimension. An element's
/// arithmetic is the same for any number of rows beside it.
/// </summary>
static unsafe class OuterKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <param name="o">Rows: 1, 4 or a multiple of 8. Columns: a multiple of 32.</param>
    /// <param name="ahead">Memory that is wanted next: as many bytes are fetched with each t as M has in 32 columns.</param>
    /// <param name="later">The same, for what comes after it.</param>
    public static void Add<E>(in OuterArguments o, byte* ahead, byte* later) where E : struct, IElement
    {
        for (nint column = 0; column < o.Columns; column += 2 * S.Lanes)
        {
            var row = 0;
            for (; S.Lanes == 16 && row <= o.Rows - 8; row += 8)
            {
                Eight<E>(o, o.X + row * o.XStride, o.C + row * o.CStride + column, column, ahead, later);
            }
            for (; row <= o.Rows - 4; row += 4)
            {
                Four<E>(o, o.X + row * o.XStride, o.C + row * o.CStride + column, column, ahead, later);
            }
            for (; row < o.Rows; row++)
            {
                One<E>(o, o.X + row * o.XStride, o.C + row * o.CStride + column, column, ahead, later);
            }
            ahead += o.Count * 32 * E.Bytes;
            later += o.Count * 32 * E.Bytes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void One<E>(in OuterArguments o, float* x, float* c, nint column, byte* ahead, byte* later) where E : struct, IElement
    {
        var (count, stride, m) = (o.Count, o.MStride, column);
        var source = o.M;
        Load<E>(o, c, out var c0, out var c1);
        for (var t = 0; t < count; t++, m += stride)
        {
            E.LoadPair<S, V>(source, m, out var m0, out var m1);
            var w = S.Set(x[t]);
            c0 = S.Fma(w, m0, c0);
            c1 = S.Fma(w, m1, c1);
            Ahead<E>(ahead, t);
            Ahead<E>(later, t);
        }
        Store<E>(c, c0, c1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Four<E>(in OuterArguments o, float* x, float* c, nint column, byte* ahead, byte* later) where E : struct, IElement
    {
        var (count, stride, m, xs, cs) = (o.Count, o.MStride, column, o.XStride, o.CStride);
        var source = o.M;
        Load<E>(o, c, out var c00, out var c01);
        Load<E>(o, c + cs, out var c10, out var c11);
        Load<E>(o, c + 2 * cs, out var c20, out var c21);
        Load<E>(o, c + 3 * cs, out var c30, out var c31);
        for (var t = 0; t < count; t++, m += stride, x++)
        {
            E.LoadPair<S, V>(source, m, out var m0, out var m1);
            V w0 = S.Set(x[0]), w1 = S.Set(x[xs]), w2 = S.Set(x[2 * xs]), w3 = S.Set(x[3 * xs]);
            (c00, c01) = (S.Fma(w0, m0, c00), S.Fma(w0, m1, c01));
            (c10, c11) = (S.Fma(w1, m0, c10), S.Fma(w1, m1, c11));
            (c20, c21) = (S.Fma(w2, m0, c20), S.Fma(w2, m1, c21));
            (c30, c31) = (S.Fma(w3, m0, c30), S.Fma(w3, m1, c31));
            Ahead<E>(ahead, t);
            Ahead<E>(later, t);
        }
        Store<E>(c, c00, c01);
        Store<E>(c + cs, c10, c11);
        Store<E>(c + 2 * cs, c20, c21);
        Store<E>(c + 3 * cs, c30, c31);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Eight<E>(in OuterArguments o, float* x, float* c, nint column, byte* ahead, byte* later)
        where E : struct, IElement
    {
        var (count, stride, m, xs, cs) = (o.Count, o.MStride, column, o.XStride, o.CStride);
        var source = o.M;
        float* x4 = x + 4 * xs, d = c + 4 * cs;
        Load<E>(o, c, out var c00, out var c01);
        Load<E>(o, c + cs, out var c10, out var c11);
        Load<E>(o, c + 2 * cs, out var c20, out var c21);
        Load<E>(o, c + 3 * cs, out var c30, out var c31);
        Load<E>(o, d, out var c40, out var c41);
        Load<E>(o, d + cs, out var c50, out var c51);
        Load<E>(o, d + 2 * cs, out var c60, out var c61);
        Load<E>(o, d + 3 * cs, out var c70, out var c71);
        for (var t = 0; t < count; t++, m += stride, x++, x4++)
        {
            E.LoadPair<S, V>(source, m, out var m0, out var m1);
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
            Ahead<E>(ahead, t);
            Ahead<E>(later, t);
        }
        Store<E>(c, c00, c01);
        Store<E>(c + cs, c10, c11);
        Store<E>(c + 2 * cs, c20, c21);
        Store<E>(c + 3 * cs, c30, c31);
        Store<E>(d, c40, c41);
        Store<E>(d + cs, c50, c51);
        Store<E>(d + 2 * cs, c60, c61);
        Store<E>(d + 3 * cs, c70, c71);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Ahead<E>(byte* at, int t) where E : struct, IElement
    {
        Memory.Prefetch(at + t * 32 * E.Bytes);
        if (E.Bytes == 4)
        {
            Memory.Prefetch(at + t * 128 + 64);
        }
    }

    /// <summary>Two vectors of C, or zeros, in the order in which a pair of M comes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Load<E>(in OuterArguments o, float* c, out V first, out V second) where E : struct, IElement
    {
        (first, second) = o.Fresh ? (S.Set(0), S.Set(0)) : (S.Load(c), S.Load(c + S.Lanes));
        if (E.PairsInterleave)
        {
            S.Separate(ref first, ref second);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store<E>(float* c, V first, V second) where E : struct, IElement
    {
        if (E.PairsInterleave)
        {
            S.Interleave(ref first, ref second);
        }
        S.Store(first, c);
        S.Store(second, c + S.Lanes);
    }
}

/// <summary>Arguments of <see cref="OuterKernel{S, V}"/>; strides in elements.</summary>
/// <param name="fresh">C starts from zeros, not from what it holds.</param>
readonly unsafe struct OuterArguments(float* x, nint xStride, byte* m, nint mStride, int count, float* c, nint cStride,
    int columns, int rows, bool fresh)
{
    public readonly float* X = x, C = c;
    public readonly byte* M = m;
    public readonly nint XStride = xStride, MStride = mStride, CStride = cStride;
    public readonly int Count = count, Columns = columns, Rows = rows;
    public readonly bool Fresh = fresh;
}
