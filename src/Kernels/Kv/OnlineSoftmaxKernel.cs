using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>One part's step of the online softmax (Milakov and Gimelshein 2018), and the joining of two parts.</summary>
static unsafe class OnlineSoftmaxKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <summary>Scores become exp(score - maximum), exactly 0 where the key is not visible; some key is.</summary>
    /// <param name="width">Scores, a multiple of 32; zeros behind what is seen change no bit of the sum.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Weigh(float* scores, int width, float cap, float* max, float* sum)
    {
        for (var i = 0; cap > 0 && i < width; i += S.Lanes)
        {
            var tanh = SimdMath<S, V>.Tanh(S.Div(S.Load(scores + i), S.Set(cap)));
            // What was hidden at -infinity came to -cap.
            var hidden = S.IfLess(S.Load(scores + i), S.Set(float.MinValue), S.Set(float.NegativeInfinity),
                S.Mul(tanh, S.Set(cap)));
            S.Store(hidden, scores + i);
        }
        V top = S.Load(scores), other = top;
        for (var i = 0; i < width; i += 2 * S.Lanes)
        {
            top = S.Max(top, S.Load(scores + i));
            other = S.Max(other, S.Load(scores + i + S.Lanes));
        }
        *max = S.MaxLane(S.Max(top, other));
        V maxima = S.Set(*max), first = S.Set(0), second = first;
        for (var i = 0; i < width; i += 2 * S.Lanes)
        {
            V a = SimdMath<S, V>.Exp(S.Sub(S.Load(scores + i), maxima)),
                b = SimdMath<S, V>.Exp(S.Sub(S.Load(scores + i + S.Lanes), maxima));
            S.Store(a, scores + i);
            S.Store(b, scores + i + S.Lanes);
            (first, second) = (S.Add(first, a), S.Add(second, b));
        }
        *sum = S.Sum(S.Add(first, second));
    }

    /// <param name="n">A multiple of the lanes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddRamp(float* x, float slope, float from, int n)
    {
        var lanes = stackalloc float[S.Lanes];
        for (var i = 0; i < S.Lanes; i++)
        {
            lanes[i] = from + i;
        }
        V at = S.Load(lanes), step = S.Set(S.Lanes), factor = S.Set(slope);
        for (var i = 0; i < n; i += S.Lanes)
        {
            S.Store(S.Fma(at, factor, S.Load(x + i)), x + i);
            at = S.Add(at, step);
        }
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
}

/// <summary>Which keys of a part a query sees: [0, Sinks) and [From, To), counted from the part's first.</summary>
readonly struct VisibleKeys
{
    /// <param name="first">Position of the part's first key.</param>
    public VisibleKeys(in AttentionSpec spec, int position, int first)
    {
        var from = spec.Window > 0 ? position - spec.Window + 1 : 0;
        To = Math.Clamp(position + 1 - first, 0, AttentionPlan.PartTokens);
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

    public bool None => From == To && Sinks == 0;

    /// <summary>Puts -infinity where the query does not see.</summary>
    public void Hide(Span<float> scores)
    {
        scores[Sinks..From].Fill(float.NegativeInfinity);
        scores[To..].Fill(float.NegativeInfinity);
    }
}
