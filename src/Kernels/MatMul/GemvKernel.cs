using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>Products of one row of activations with rows of weights as they lie in memory: each weight is read once, in
/// registers.</summary>
static unsafe class GemvKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <param name="type">What E stands for.</param>
    /// <param name="a">[k]</param>
    /// <param name="w">rows of k elements, one after the other.</param>
    /// <param name="sums">[rows]</param>
    public static void Multiply<E>(DType type, float* a, byte* w, int rows, int k, float* sums) where E : struct, IWeight
    {
        var stride = (nint)type.RowBytes(k);
        var whole = k / S.Lanes * S.Lanes;
        var rest = stackalloc float[5 * S.Lanes];
        var scales = stackalloc float[4 * StretchScales.Count];
        for (; rows >= 4; rows -= 4, w += 4 * stride, sums += 4)
        {
            LoadRest<E>(a, w, stride, whole, k, rest, scales);
            Four<E>(a, w, stride, whole, k, rest, scales).Store(sums);
        }
        for (; rows > 0; rows--, w += stride, sums++)
        {
            LoadRest<E>(a, w, 0, whole, k, rest, scales);
            *sums = Four<E>(a, w, 0, whole, k, rest, scales).ToScalar();
        }
    }

    // No call may stand in this method: none saves vector registers, so the sums would live in memory.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static Vector128<float> Four<E>(float* a, byte* w0, nint stride, int whole, int k, float* rest, float* scales)
        where E : struct, IWeight
    {
        var total = Vector128<float>.Zero;
        byte* w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride;
        var ahead = 4 * stride;
        V c0 = S.Set(0), c1 = c0, c2 = c0, c3 = c0;
        for (nint from = 0; from < k; from += E.Stretch, a += E.Stretch)
        {
            var columns = (nint)Math.Min(E.Stretch, k - from);
            E.Prepare(w0, (int)columns, scales);
            E.Prepare(w1, (int)columns, scales + StretchScales.Count);
            E.Prepare(w2, (int)columns, scales + 2 * StretchScales.Count);
            E.Prepare(w3, (int)columns, scales + 3 * StretchScales.Count);
            AheadStretch<E>(w0 + ahead, stride);
            var to = Math.Min(E.Stretch, whole - from);
            nint i = 0;
            for (; i <= to - 2 * S.Lanes; i += 2 * S.Lanes)
            {
                V x = S.Load(a + i), y = S.Load(a + i + S.Lanes), p, q;
                Ahead<E>(w0 + ahead, i);
                E.LoadTwo<S, V>(w0, scales, i, out p, out q);
                c0 = S.Fma(y, q, S.Fma(x, p, c0));
                Ahead<E>(w1 + ahead, i);
                E.LoadTwo<S, V>(w1, scales + StretchScales.Count, i, out p, out q);
                c1 = S.Fma(y, q, S.Fma(x, p, c1));
                Ahead<E>(w2 + ahead, i);
                E.LoadTwo<S, V>(w2, scales + 2 * StretchScales.Count, i, out p, out q);
                c2 = S.Fma(y, q, S.Fma(x, p, c2));
                Ahead<E>(w3 + ahead, i);
                E.LoadTwo<S, V>(w3, scales + 3 * StretchScales.Count, i, out p, out q);
                c3 = S.Fma(y, q, S.Fma(x, p, c3));
            }
            for (; i < to; i += S.Lanes)
            {
                var x = S.Load(a + i);
                c0 = S.Fma(x, E.Load<S, V>(w0, scales, i), c0);
                c1 = S.Fma(x, E.Load<S, V>(w1, scales + StretchScales.Count, i), c1);
                c2 = S.Fma(x, E.Load<S, V>(w2, scales + 2 * StretchScales.Count, i), c2);
                c3 = S.Fma(x, E.Load<S, V>(w3, scales + 3 * StretchScales.Count, i), c3);
            }
            w0 += E.StretchBytes;
            w1 += E.StretchBytes;
            w2 += E.StretchBytes;
            w3 += E.StretchBytes;
            var last = from + E.Stretch >= k;
            if (last && whole < k)
            {
                var x = S.Load(rest);
                c0 = S.Fma(x, S.Load(rest + S.Lanes), c0);
                c1 = S.Fma(x, S.Load(rest + 2 * S.Lanes), c1);
                c2 = S.Fma(x, S.Load(rest + 3 * S.Lanes), c2);
                c3 = S.Fma(x, S.Load(rest + 4 * S.Lanes), c3);
            }
            if (last || (from + E.Stretch) % ReductionOrder.BlockK == 0)
            {
                var block = S.Sum4(c0, c1, c2, c3);
                total = from < ReductionOrder.BlockK ? block : total + block;
                c0 = c1 = c2 = c3 = S.Set(0);
            }
        }
        return total;
    }

    /// <summary>Short stretches are fetched as a whole where they begin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void AheadStretch<E>(byte* w, nint stride) where E : struct, IWeight
    {
        if (E.Stretch == ReductionOrder.BlockK)
        {
            return;
        }
        for (var end = w + E.StretchBytes; w < end; w += 64)
        {
            Memory.Prefetch(w);
            Memory.Prefetch(w + stride);
            Memory.Prefetch(w + 2 * stride);
            Memory.Prefetch(w + 3 * stride);
        }
    }

    /// <summary>Fetches the same place of the next four rows: the hardware stops at a page's end, often a row's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Ahead<E>(byte* w, nint i) where E : struct, IWeight
    {
        var bytes = E.StretchBytes / E.Stretch;
        if (E.Stretch == ReductionOrder.BlockK)
        {
            Memory.Prefetch(w + i * bytes);
        }
        if (E.Stretch == ReductionOrder.BlockK && 2 * S.Lanes * bytes > 64)
        {
            Memory.Prefetch(w + i * bytes + 64);
        }
    }

    /// <summary>What is left of k beyond whole vectors, of the activations and of four rows, with zeros behind.</summary>
    static void LoadRest<E>(float* a, byte* w, nint stride, int whole, int k, float* rest, float* scales)
        where E : struct, IWeight
    {
        if (whole == k)
        {
            return;
        }
        new Span<float>(rest, 5 * S.Lanes).Clear();
        var from = whole / E.Stretch * E.Stretch;
        var stretch = w + (nint)(whole / E.Stretch) * E.StretchBytes;
        for (var row = 0; row < 4; row++, stretch += stride)
        {
            E.Prepare(stretch, k - from, scales);
            for (var i = whole; i < k; i++)
            {
                rest[i - whole] = a[i];
                rest[(row + 1) * S.Lanes + i - whole] = E.Load<SimdScalar, float>(stretch, scales, i - from);
            }
        }
    }
}
