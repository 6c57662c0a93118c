using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>Lays rows out for <see cref="TileKernel{S, V}"/>: [step][row][lane] of f32, zeros for what is not there.</summary>
static unsafe class PackKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <param name="source">Rows at <paramref name="stride"/> bytes, the first column of the block first.</param>
    /// <param name="rows">Rows there are, at most <paramref name="tileRows"/>.</param>
    /// <param name="columns">Columns of the block.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack<E>(byte* source, nint stride, int rows, int tileRows, int columns, float* target)
        where E : struct, IWeight
    {
        var step = tileRows * S.Lanes;
        var scales = stackalloc float[StretchScales.Count];
        for (var row = 0; row < tileRows; row++, source += stride, target += S.Lanes)
        {
            var t = target;
            var stretch = source;
            for (var from = 0; from < columns; from += E.Stretch, stretch += E.StretchBytes)
            {
                t = row < rows
                    ? PackStretch<E>(stretch, Math.Min(E.Stretch, columns - from), step, scales, t)
                    : Zeros(Math.Min(E.Stretch, columns - from), step, t);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float* PackStretch<E>(byte* stretch, int columns, int step, float* scales, float* t) where E : struct, IWeight
    {
        nint i = 0;
        E.Prepare(stretch, columns, scales);
        for (; i <= columns - 2 * S.Lanes; i += 2 * S.Lanes, t += 2 * step)
        {
            E.LoadTwo<S, V>(stretch, scales, i, out var first, out var second);
            S.Store(first, t);
            S.Store(second, t + step);
        }
        for (; i <= columns - S.Lanes; i += S.Lanes, t += step)
        {
            S.Store(E.Load<S, V>(stretch, scales, i), t);
        }
        for (; i < columns; i += S.Lanes, t += step)
        {
            for (var lane = 0; lane < S.Lanes; lane++)
            {
                t[lane] = i + lane < columns ? E.Load<SimdScalar, float>(stretch, scales, i + lane) : 0;
            }
        }
        return t;
    }

    static float* Zeros(int columns, int step, float* t)
    {
        for (var i = 0; i < columns; i += S.Lanes, t += step)
        {
            S.Store(S.Set(0), t);
        }
        return t;
    }
}
