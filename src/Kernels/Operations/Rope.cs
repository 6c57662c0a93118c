using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>Which two elements of a head form a pair.</summary>
public enum RopeStyle
{
    /// <summary>i and i + rotaryDim / 2, as in Hugging Face's llama.</summary>
    Half,

    /// <summary>2i and 2i + 1.</summary>
    Interleaved,
}

/// <summary>Rotary position embedding from tables, in place.</summary>
public static unsafe class Rope
{
    /// <param name="x">[rows, heads, headDim]</param>
    /// <param name="positions">[rows], the table row of each.</param>
    /// <param name="cos">[positions, rotaryDim / 2], scaling already in it; sin alike.</param>
    /// <param name="rotaryDim">Even, at most headDim; the elements of a head beyond it stay.</param>
    public static void Apply(KernelContext context, Span<float> x, int heads, int headDim, ReadOnlySpan<int> positions,
        ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, int rotaryDim, RopeStyle style = RopeStyle.Half)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rotaryDim, headDim);
        ArgumentOutOfRangeException.ThrowIfNotEqual(rotaryDim & 1, 0);
        Check.Length(x.Length, (long)positions.Length * heads * headDim, nameof(x));
        Check.Length(sin.Length, cos.Length, nameof(sin));
        var half = rotaryDim / 2;
        foreach (var position in positions)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(position, nameof(positions));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(((long)position + 1) * half, cos.Length, nameof(positions));
        }
        fixed (float* px = x, pc = cos, ps = sin)
        fixed (int* pp = positions)
        {
            var job = new Job(context.Kernels, px, pp, pc, ps, heads, headDim, half, style);
            RowRuns.Run(context, new RowJob<Job>(job, positions.Length, 8), x.Length);
        }
    }

    readonly struct Job(KernelSet kernels, float* x, int* positions, float* cos, float* sin, int heads, int headDim, int half,
        RopeStyle style) : IRowJob
    {
        public void Execute(int from, int to)
        {
            for (var row = from; row < to; row++)
            {
                var table = (nint)positions[row] * half;
                for (var head = 0; head < heads; head++)
                {
                    var at = x + ((nint)row * heads + head) * headDim;
                    if (style == RopeStyle.Half)
                    {
                        kernels.RotatePairs(at, at + half, cos + table, sin + table, half);
                    }
                    else
                    {
                        Interleaved(at, cos + table, sin + table, half);
                    }
                }
            }
        }

        static void Interleaved(float* x, float* cos, float* sin, int n)
        {
            for (var i = 0; i < n; i++)
            {
                var (a, b) = (x[2 * i], x[2 * i + 1]);
                x[2 * i] = a * cos[i] - b * sin[i];
                x[2 * i + 1] = b * cos[i] + a * sin[i];
            }
        }
    }
}

static unsafe class RopeKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(float* first, float* second, float* cos, float* sin, int n)
    {
        var i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            var (a, b, c, s) = (S.Load(first + i), S.Load(second + i), S.Load(cos + i), S.Load(sin + i));
            S.Store(S.Sub(S.Mul(a, c), S.Mul(b, s)), first + i);
            S.Store(S.Add(S.Mul(b, c), S.Mul(a, s)), second + i);
        }
        for (; i < n; i++)
        {
            var (a, b) = (first[i], second[i]);
            first[i] = a * cos[i] - b * sin[i];
            second[i] = b * cos[i] + a * sin[i];
        }
    }
}
