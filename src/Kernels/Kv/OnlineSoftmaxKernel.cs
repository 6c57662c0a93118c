using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>One step of the online softmax (Milakov and Gimelshein 2018): a block of 32 scores joins the running maximum and sum.</summary>
static unsafe class OnlineSoftmaxKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <summary>Scores become exp(score - new maximum), exactly 0 where the key is not visible.</summary>
    /// <param name="seen">Keys of this block that the row sees.</param>
    /// <returns>The factor by which what was summed before shrinks.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Join(float* scores, VisibleKeys seen, float cap, float* max, float* sum)
    {
        if (cap > 0)
        {
            Cap(scores, cap);
        }
        if (!seen.All)
        {
            Hide(scores, seen);
        }
        var top = S.Load(scores);
        for (var i = S.Lanes; i < KvLayout.BlockTokens; i += S.Lanes)
        {
            top = S.Max(top, S.Load(scores + i));
        }
        var newMax = MathF.Max(*max, S.MaxLane(top));
        var (maxima, total) = (S.Set(newMax), S.Set(0));
        for (var i = 0; i < KvLayout.BlockTokens; i += S.Lanes)
        {
            var weight = SimdMath<S, V>.Exp(S.Sub(S.Load(scores + i), maxima));
            S.Store(weight, scores + i);
            total = S.Add(total, weight);
        }
        var keep = SimdMath<SimdScalar, float>.Exp(*max - newMax);
        *sum = MathF.FusedMultiplyAdd(*sum, keep, S.Sum(total));
        *max = newMax;
        return keep;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Blend(float* x, float a, float* y, float b, int n)
    {
        var (factor, other) = (S.Set(a), S.Set(b));
        for (var i = 0; i < n; i += S.Lanes)
        {
            S.Store(S.Fma(S.Load(x + i), factor, S.Mul(S.Load(y + i), other)), x + i);
        }
    }

    static void Cap(float* scores, float cap)
    {
        for (var i = 0; i < KvLayout.BlockTokens; i += S.Lanes)
        {
            var tanh = SimdMath<S, V>.Tanh(S.Div(S.Load(scores + i), S.Set(cap)));
            S.Store(S.Mul(tanh, S.Set(cap)), scores + i);
        }
    }

    static void Hide(float* scores, VisibleKeys seen)
    {
        for (var i = 0; i < KvLayout.BlockTokens; i++)
        {
            if (!seen.Contains(i))
            {
                scores[i] = float.NegativeInfinity;
            }
        }
    }
}

/// <summary>Which of a block's 32 keys a query sees: [0, Sinks) and [From, To).</summary>
readonly struct VisibleKeys
{
    /// <param name="first">Position of the block's first key.</param>
    public VisibleKeys(in AttentionSpec spec, int position, int first)
    {
        var from = spec.Window > 0 ? position - spec.Window + 1 : 0;
        To = Math.Clamp(position + 1 - first, 0, KvLayout.BlockTokens);
        From = Math.Clamp(from - first, 0, To);
        Sinks = Math.Clamp(spec.SinkTokens - first, 0, To);
        if (Sinks >= From)
        {
            (Sinks, From) = (0, 0);
        }
    }

    public int Sinks { get; }

    public int From { get; }

    public int To { get; }

    public bool All => From == 0 && To == KvLayout.BlockTokens;

    public bool None => From == To && Sinks == 0;

    /// <summary>The least key seen, when there is one.</summary>
    public int First => Sinks > 0 ? 0 : From;

    public bool Contains(int key) => key < Sinks || (key >= From && key < To);
}
