using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>Products of one row of activations with rows of weights as they lie in memory: each weight is read once, in
/// registers.</summary>
static unsafe class GemvKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <param name="a">[k]</param>
    /// <param name="w">rows of k elements, one after the other.</param>
    /// <param name="sums">[rows]</param>
    public static void Multiply<E>(float* a, byte* w, int rows, int k, float* sums) where E : struct, IElement
    {
        var stride = (nint)k * E.Bytes;
        var whole = k / S.Lanes * S.Lanes;
        var rest = stackalloc float[5 * S.Lanes];
        for (; rows >= 4; rows -= 4, w += 4 * stride, sums += 4)
        {
            LoadRest<E>(a, w, stride, whole, k, rest);
            Four<E>(a, w, stride, whole, k, rest).Store(sums);
        }
        for (; rows > 0; rows--, w += stride, sums++)
        {
            LoadRest<E>(a, w, 0, whole, k, rest);
            *sums = Four<E>(a, w, 0, whole, k, rest).ToScalar();
        }
    }

    // No call may stand in this method: none saves vector registers, so the sums would live in memory.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static Vector128<float> Four<E>(float* a, byte* w0, nint stride, int whole, int k, float* rest) where E : struct, IElement
    {
        var total = Vector128<float>.Zero;
        byte* w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride;
        var ahead = 4 * stride;
        for (nint from = 0; from < k; from += ReductionOrder.BlockK)
        {
            var to = Math.Min(whole, from + ReductionOrder.BlockK);
            V c0 = S.Set(0), c1 = c0, c2 = c0, c3 = c0;
            var i = from;
            for (; i <= to - 2 * S.Lanes; i += 2 * S.Lanes)
            {
                V x = S.Load(a + i), y = S.Load(a + i + S.Lanes);
                Ahead<E>(w0 + ahead, i);
                c0 = S.Fma(y, E.Load<S, V>(w0, i + S.Lanes), S.Fma(x, E.Load<S, V>(w0, i), c0));
                Ahead<E>(w1 + ahead, i);
                c1 = S.Fma(y, E.Load<S, V>(w1, i + S.Lanes), S.Fma(x, E.Load<S, V>(w1, i), c1));
                Ahead<E>(w2 + ahead, i);
                c2 = S.Fma(y, E.Load<S, V>(w2, i + S.Lanes), S.Fma(x, E.Load<S, V>(w2, i), c2));
                Ahead<E>(w3 + ahead, i);
                c3 = S.Fma(y, E.Load<S, V>(w3, i + S.Lanes), S.Fma(x, E.Load<S, V>(w3, i), c3));
            }
            for (; i < to; i += S.Lanes)
            {
                var x = S.Load(a + i);
                c0 = S.Fma(x, E.Load<S, V>(w0, i), c0);
                c1 = S.Fma(x, E.Load<S, V>(w1, i), c1);
                c2 = S.Fma(x, E.Load<S, V>(w2, i), c2);
                c3 = S.Fma(x, E.Load<S, V>(w3, i), c3);
            }
            if (from + ReductionOrder.BlockK >= k && whole < k)
            {
                var x = S.Load(rest);
                c0 = S.Fma(x, S.Load(rest + S.Lanes), c0);
                c1 = S.Fma(x, S.Load(rest + 2 * S.Lanes), c1);
                c2 = S.Fma(x, S.Load(rest + 3 * S.Lanes), c2);
                c3 = S.Fma(x, S.Load(rest + 4 * S.Lanes), c3);
            }
            var block = S.Sum4(c0, c1, c2, c3);
            total = from == 0 ? block : total + block;
        }
        return total;
    }

    /// <summary>Fetches the same place of the next four rows: the hardware stops at a page's end, often a row's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Ahead<E>(byte* w, nint i) where E : struct, IElement
    {
        Memory.Prefetch(w + i * E.Bytes);
        if (2 * S.Lanes * E.Bytes > 64)
        {
            Memory.Prefetch(w + i * E.Bytes + 64);
        }
    }

    /// <summary>What is left of k beyond whole vectors, of the activations and of four rows, with zeros behind.</summary>
    static void LoadRest<E>(float* a, byte* w, nint stride, int whole, int k, float* rest) where E : struct, IElement
    {
        if (whole == k)
        {
            return;
        }
        new Span<float>(rest, 5 * S.Lanes).Clear();
        for (var i = whole; i < k; i++)
        {
            rest[i - whole] = a[i];
            for (var row = 0; row < 4; row++)
            {
                rest[(row + 1) * S.Lanes + i - whole] = E.Load<SimdScalar, float>(w + row * stride, i);
            }
        }
    }
}
