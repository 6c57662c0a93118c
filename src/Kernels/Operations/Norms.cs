using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>y = x / rms(x) * (weight + offset), row by row, or over each of a row's groups.</summary>
public static unsafe class RmsNorm
{
    /// <param name="x">[rows, n]</param>
    /// <param name="weight">[n]</param>
    /// <param name="output">[rows, n], may be x.</param>
    /// <param name="weightOffset">1 for models that store weight - 1 (Gemma).</param>
    /// <param name="groups">Parts of a row, of equal width, that are normalised each by itself.</param>
    public static void Compute(KernelContext context, ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon,
        Span<float> output, float weightOffset = 0, int groups = 1)
    {
        var rows = Check.Rows(x.Length, weight.Length, nameof(x));
        ArgumentOutOfRangeException.ThrowIfNotEqual(weight.Length % groups, 0, nameof(groups));
        Check.Length(output.Length, x.Length, nameof(output));
        fixed (float* px = x, pw = weight, py = output)
        {
            var job = new Job(context.Kernels, px, pw, py, weight.Length, groups, epsilon, weightOffset);
            RowRuns.Run(context, new RowJob<Job>(job, rows, 8), x.Length);
        }
    }

    readonly struct Job(KernelSet kernels, float* x, float* weight, float* y, int n, int groups, float epsilon, float offset)
        : IRowJob
    {
        public void Execute(int from, int to)
        {
            var width = n / groups;
            for (var part = from * groups; part < to * groups; part++)
            {
                var at = (nint)part * width;
                kernels.RmsNorm(x + at, weight + part % groups * width, offset, epsilon, y + at, width);
            }
        }
    }
}

/// <summary>y = (x - mean) / sqrt(variance + epsilon) * weight + bias, row by row, or over each of a row's groups.</summary>
public static unsafe class LayerNorm
{
    /// <param name="x">[rows, n]</param>
    /// <param name="weight">[n]</param>
    /// <param name="bias">[n], or empty.</param>
    /// <param name="output">[rows, n], may be x.</param>
    /// <param name="groups">Parts of a row, of equal width, that are normalised each by itself.</param>
    public static void Compute(KernelContext context, ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias,
        float epsilon, Span<float> output, int groups = 1)
    {
        var rows = Check.Rows(x.Length, weight.Length, nameof(x));
        ArgumentOutOfRangeException.ThrowIfNotEqual(weight.Length % groups, 0, nameof(groups));
        Check.Length(output.Length, x.Length, nameof(output));
        Check.Length(bias.Length, bias.IsEmpty ? 0 : weight.Length, nameof(bias));
        fixed (float* px = x, pw = weight, pb = bias, py = output)
        {
            var job = new Job(context.Kernels, px, pw, pb, py, weight.Length, groups, epsilon);
            RowRuns.Run(context, new RowJob<Job>(job, rows, 8), x.Length);
        }
    }

    readonly struct Job(KernelSet kernels, float* x, float* weight, float* bias, float* y, int n, int groups, float epsilon)
        : IRowJob
    {
        public void Execute(int from, int to)
        {
            var width = n / groups;
            for (var part = from * groups; part < to * groups; part++)
            {
                var (at, of) = ((nint)part * width, part % groups * width);
                kernels.LayerNorm(x + at, weight + of, bias == null ? null : bias + of, epsilon, y + at, width);
            }
        }
    }
}

static unsafe class NormKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rms(float* x, float* weight, float weightOffset, float epsilon, float* y, int n)
    {
        var scale = 1f / MathF.Sqrt(SquaresSum(x, 0, n) / n + epsilon);
        var (scales, offsets) = (S.Set(scale), S.Set(weightOffset));
        var i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            S.Store(S.Mul(S.Mul(S.Load(x + i), scales), S.Add(S.Load(weight + i), offsets)), y + i);
        }
        for (; i < n; i++)
        {
            y[i] = x[i] * scale * (weight[i] + weightOffset);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Layer(float* x, float* weight, float* bias, float epsilon, float* y, int n)
    {
        var mean = Sum(x, n) / n;
        var scale = 1f / MathF.Sqrt(SquaresSum(x, mean, n) / n + epsilon);
        var (means, scales) = (S.Set(mean), S.Set(scale));
        var i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            var normal = S.Mul(S.Sub(S.Load(x + i), means), scales);
            S.Store(S.Fma(normal, S.Load(weight + i), bias == null ? S.Set(0) : S.Load(bias + i)), y + i);
        }
        for (; i < n; i++)
        {
            y[i] = MathF.FusedMultiplyAdd((x[i] - mean) * scale, weight[i], bias == null ? 0 : bias[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Sum(float* x, int n)
    {
        var (a, b) = (S.Set(0), S.Set(0));
        var i = 0;
        for (; i <= n - 2 * S.Lanes; i += 2 * S.Lanes)
        {
            a = S.Add(a, S.Load(x + i));
            b = S.Add(b, S.Load(x + i + S.Lanes));
        }
        var sum = S.Sum(S.Add(a, b));
        for (; i < n; i++)
        {
            sum += x[i];
        }
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float SquaresSum(float* x, float mean, int n)
    {
        var (a, b, means) = (S.Set(0), S.Set(0), S.Set(mean));
        var i = 0;
        for (; i <= n - 2 * S.Lanes; i += 2 * S.Lanes)
        {
            var first = S.Sub(S.Load(x + i), means);
            var second = S.Sub(S.Load(x + i + S.Lanes), means);
            a = S.Fma(first, first, a);
            b = S.Fma(second, second, b);
        }
        var sum = S.Sum(S.Add(a, b));
        for (; i < n; i++)
        {
            sum += (x[i] - mean) * (x[i] - mean);
        }
        return sum;
    }
}
