using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>Products of one row of activations with rows of weights as they lie in memory: each weight is read once, in registers.</summary>
static unsafe class GemvKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <param name="a">[k]</param>
    /// <param name="w">rows of k elements, one after the other.</param>
    /// <param name="sums">[rows]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<E>(float* a, byte* w, int rows, int k, float* sums) where E : struct, IElement
    {
        var stride = (nint)k * E.Bytes;
        for (; rows >= 4; rows -= 4, w += 4 * stride, sums += 4)
        {
            Four<E>(a, w, w + stride, w + 2 * stride, w + 3 * stride, k).Store(sums);
        }
        for (; rows > 0; rows--, w += stride, sums++)
        {
            *sums = Four<E>(a, w, w, w, w, k).ToScalar();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static Vector128<float> Four<E>(float* a, byte* w0, byte* w1, byte* w2, byte* w3, int k) where E : struct, IElement
    {
        var total = Vector128<float>.Zero;
        for (var from = 0; from < k; from += ReductionOrder.BlockK)
        {
            var to = Math.Min(k, from + ReductionOrder.BlockK);
            V c0 = S.Set(0), c1 = c0, c2 = c0, c3 = c0;
            var i = from;
            for (; i <= to - S.Lanes; i += S.Lanes)
            {
                var x = S.Load(a + i);
                c0 = S.Fma(x, E.Load<S, V>(w0, i), c0);
                c1 = S.Fma(x, E.Load<S, V>(w1, i), c1);
                c2 = S.Fma(x, E.Load<S, V>(w2, i), c2);
                c3 = S.Fma(x, E.Load<S, V>(w3, i), c3);
            }
            if (i < to)
            {
                var x = S.LoadPart(a + i, to - i);
                c0 = S.Fma(x, LoadPart<E>(w0, i, to), c0);
                c1 = S.Fma(x, LoadPart<E>(w1, i, to), c1);
                c2 = S.Fma(x, LoadPart<E>(w2, i, to), c2);
                c3 = S.Fma(x, LoadPart<E>(w3, i, to), c3);
            }
            var block = S.Sum4(c0, c1, c2, c3);
            total = from == 0 ? block : total + block;
        }
        return total;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static V LoadPart<E>(byte* w, int from, int to) where E : struct, IElement
    {
        var part = stackalloc float[16];
        for (var i = from; i < to; i++)
        {
            part[i - from] = E.Load<SimdScalar, float>(w, i);
        }
        return S.Load(part);
    }
}
