using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>Which two elements of a head form a pair.</summary>
public enum RopeStyle
{
    /// <summary>i and i + dim / 2, as in Hugging Face's llama.</summary>
    Half,

    /// <summary>2i and 2i + 1.</summary>
    Interleaved,
}

/// <summary>Which numbers of a head turn, and where their angles lie.</summary>
/// <param name="Dim">Even: so many numbers of a head turn, from First on; the others stay.</param>
/// <param name="Column">First of the Dim / 2 columns of the tables that hold their angles.</param>
/// <param name="Columns">Of a row of the tables; 0 for Dim / 2.</param>
public readonly record struct RopeShape(int HeadDim, int Dim, RopeStyle Style = RopeStyle.Half, int First = 0, int Column = 0,
    int Columns = 0)
{
    internal int Half => Dim / 2;

    internal int Stride => Columns == 0 ? Half : Columns;
}

/// <summary>Rotary position embedding from tables, in place.</summary>
public static unsafe class Rope
{
    /// <param name="x">[rows, heads, headDim]</param>
    /// <param name="rows">[rows], the table row of each.</param>
    /// <param name="cos">[table rows, columns], scaling already in it; sin alike.</param>
    public static void Apply(KernelContext context, Span<float> x, in RopeShape shape, ReadOnlySpan<int> rows,
        ReadOnlySpan<float> cos, ReadOnlySpan<float> sin)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(shape.First, nameof(shape));
        ArgumentOutOfRangeException.ThrowIfNegative(shape.Column, nameof(shape));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shape.First + shape.Dim, shape.HeadDim, nameof(shape));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shape.Column + shape.Half, shape.Stride, nameof(shape));
        ArgumentOutOfRangeException.ThrowIfNotEqual(shape.Dim & 1, 0, nameof(shape));
        Check.Length(sin.Length, cos.Length, nameof(sin));
        if (rows.IsEmpty)
        {
            return;
        }
        var heads = Check.Rows(x.Length, rows.Length * shape.HeadDim, nameof(x));
        foreach (var row in rows)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(row, nameof(rows));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(((long)row + 1) * shape.Stride, cos.Length, nameof(rows));
        }
        fixed (float* px = x, pc = cos, ps = sin)
        fixed (int* pr = rows)
        {
            var job = new Job(context.Kernels, px, pr, pc + shape.Column, ps + shape.Column, heads, shape);
            RowRuns.Run(context, new RowJob<Job>(job, rows.Length, 8), x.Length);
        }
    }

    readonly struct Job(KernelSet kernels, float* x, int* rows, float* cos, float* sin, int heads, RopeShape shape) : IRowJob
    {
        public void Execute(int from, int to)
        {
            for (var row = from; row < to; row++)
            {
                var table = (nint)rows[row] * shape.Stride;
                for (var head = 0; head < heads; head++)
                {
                    var at = x + ((nint)row * heads + head) * shape.HeadDim + shape.First;
                    if (shape.Style == RopeStyle.Half)
                    {
                        kernels.RotatePairs(at, at + shape.Half, cos + table, sin + table, shape.Half);
                    }
                    else
                    {
                        Interleaved(at, cos + table, sin + table, shape.Half);
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
