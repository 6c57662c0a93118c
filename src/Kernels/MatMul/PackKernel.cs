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
        where E : struct, IElement
    {
        var step = tileRows * S.Lanes;
        for (var row = 0; row < tileRows; row++, source += stride, target += S.Lanes)
        {
            var i = 0;
            var t = target;
            if (row < rows)
            {
                for (; i <= columns - S.Lanes; i += S.Lanes, t += step)
                {
                    S.Store(E.Load<S, V>(source, i), t);
                }
            }
            for (; i < columns; i += S.Lanes, t += step)
            {
                for (var lane = 0; lane < S.Lanes; lane++)
                {
                    t[lane] = row < rows && i + lane < columns ? E.Load<SimdScalar, float>(source, i + lane) : 0;
                }
            }
        }
    }
}
