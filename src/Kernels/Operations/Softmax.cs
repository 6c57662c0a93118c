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
    public static void Softmax(float* x, int n)
    {
        var inverse = (float)(1 / ExpSum(x, x, Max(x, n), n));
        MapKernel<S, V>.Map(MapKind.Scale, x, null, inverse, x, n);
    }

    public static float LogSumExp(float* x, int n)
    {
        var max = Max(x, n);
        return (float)(max + Math.Log(ExpSum(x, null, max, n)));
    }

    /// <summary>Sum of exp(x - max), each also stored in y unless that is null; f32 in runs of 1,024, f64 over them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double ExpSum(float* x, float* y, float max, int n)
    {
        const int Run = 1024;
        var (total, maxima) = (0d, S.Set(max));
        for (var from = 0; from < n; from += Run)
        {
            var (i, to, sums) = (from, Math.Min(n, from + Run), S.Set(0));
            for (; i <= to - S.Lanes; i += S.Lanes)
            {
                var e = SimdMath<S, V>.Exp(S.Sub(S.Load(x + i), maxima));
                sums = S.Add(sums, e);
                if (y != null)
                {
                    S.Store(e, y + i);
                }
            }
            total += S.Sum(sums);
            for (; i < to; i++)
            {
                var e = SimdMath<SimdScalar, float>.Exp(x[i] - max);
                total += e;
                if (y != null)
                {
                    y[i] = e;
                }
            }
        }
        return total;
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
