using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>Softmax and its logarithm over one row, shifted by the row's maximum.</summary>
public static unsafe class Softmax
{
    /// <summary>x = exp(x - max) / sum in place; -inf gives exactly 0.</summary>
    public static void Compute(KernelContext context, Span<float> x)
    {
        fixed (float* p = x)
        {
            context.Kernels.Softmax(p, x.Length);
        }
    }

    /// <summary>log(sum(exp(x))): log-probability i is x[i] minus this.</summary>
    public static float LogSumExp(KernelContext context, ReadOnlySpan<float> x)
    {
        fixed (float* p = x)
        {
            return context.Kernels.LogSumExp(p, x.Length);
        }
    }

    /// <summary>output = x - log(sum(exp(x))).</summary>
    public static void Log(KernelContext context, ReadOnlySpan<float> x, Span<float> output)
    {
        Check.Length(output.Length, x.Length, nameof(output));
        fixed (float* p = x, q = output)
        {
            context.Kernels.Map(MapKind.AddScalar, p, null, -context.Kernels.LogSumExp(p, x.Length), q, x.Length);
        }
    }
}

static unsafe class SoftmaxKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Softmax(float* x, int n)
    {
        var max = Max(x, n);
        var sum = 0f;
        var (sums, maxima) = (S.Set(0), S.Set(max));
        var i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            var e = SimdMath<S, V>.Exp(S.Sub(S.Load(x + i), maxima));
            S.Store(e, x + i);
            sums = S.Add(sums, e);
        }
        for (; i < n; i++)
        {
            sum += x[i] = SimdMath<SimdScalar, float>.Exp(x[i] - max);
        }
        sum += S.Sum(sums);
        var (inverse, inverses) = (1 / sum, S.Set(1 / sum));
        for (i = 0; i <= n - S.Lanes; i += S.Lanes)
        {
            S.Store(S.Mul(S.Load(x + i), inverses), x + i);
        }
        for (; i < n; i++)
        {
            x[i] *= inverse;
        }
        return max + MathF.Log(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float LogSumExp(float* x, int n)
    {
        var max = Max(x, n);
        var sum = 0d;
        var maxima = S.Set(max);
        var i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            sum += S.Sum(SimdMath<S, V>.Exp(S.Sub(S.Load(x + i), maxima)));
        }
        for (; i < n; i++)
        {
            sum += SimdMath<SimdScalar, float>.Exp(x[i] - max);
        }
        return (float)(max + Math.Log(sum));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Max(float* x, int n)
    {
        var maxima = S.Set(float.NegativeInfinity);
        var i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            maxima = S.Max(maxima, S.Load(x + i));
        }
        var max = S.MaxLane(maxima);
        for (; i < n; i++)
        {
            max = MathF.Max(max, x[i]);
        }
        return max;
    }
}
