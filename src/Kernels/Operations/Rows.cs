namespace Hearth.Kernels;

/// <summary>Rows of an embedding table.</summary>
public static unsafe class Embedding
{
    /// <summary>output[i] = table[ids[i]], widened to f32.</summary>
    /// <param name="output">[ids, columns]</param>
    public static void Gather(KernelContext context, MatrixView table, ReadOnlySpan<int> ids, Span<float> output)
    {
        Check.Length(output.Length, (long)ids.Length * table.Columns, nameof(output));
        fixed (float* target = output)
        {
            for (var i = 0; i < ids.Length; i++)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(ids[i], nameof(ids));
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(ids[i], table.Rows, nameof(ids));
                context.Kernels.Widen(table.Type, table.Address + ids[i] * table.RowBytes,
                    target + (nint)i * table.Columns, table.Columns);
            }
        }
        GC.KeepAlive(table.Memory.Owner);
    }
}

public static unsafe class Argmax
{
    /// <summary>Index of the largest element, the first of equals; -1 when there is none.</summary>
    public static int Of(KernelContext context, ReadOnlySpan<float> x)
    {
        fixed (float* p = x)
        {
            return x.IsEmpty ? -1 : x.IndexOf(context.Kernels.Max(p, x.Length));
        }
    }
}

/// <summary>For weights that are stored [in, out]: once, at load.</summary>
public static unsafe class Transpose
{
    /// <param name="source">[rows, columns]</param>
    /// <param name="target">As many bytes as the source; must not overlap it.</param>
    /// <returns>target as [columns, rows].</returns>
    public static MatrixView Compute(KernelContext context, MatrixView source, NativeBuffer target)
    {
        var result = new MatrixView(target.Memory, source.Type, source.Columns, source.Rows);
        var job = new Job(source.Address, target.Address, source.Rows, source.Columns, source.Type.Size());
        context.Pool.Run(job, (source.Rows + Job.Tile - 1) / Job.Tile);
        return result;
    }

    readonly struct Job(byte* source, byte* target, int rows, int columns, int size) : IChunkJob
    {
        public const int Tile = 64;

        public void Execute(int chunk, int worker)
        {
            var (from, to) = (chunk * Tile, Math.Min(rows, (chunk + 1) * Tile));
            if (size == 1)
            {
                Move(source, target, from, to);
            }
            else if (size == 2)
            {
                Move((ushort*)source, (ushort*)target, from, to);
            }
            else
            {
                Move((uint*)source, (uint*)target, from, to);
            }
        }

        void Move<T>(T* s, T* t, int from, int to) where T : unmanaged
        {
            for (var column = 0; column < columns; column++)
            {
                for (var row = from; row < to; row++)
                {
                    t[(nint)column * rows + row] = s[(nint)row * columns + column];
                }
            }
        }
    }
}

/// <summary>For weights whose rows are stored in another order than they are used in: once, at load.</summary>
public static unsafe class GatherRows
{
    /// <summary>Row i of the result is row <paramref name="rows"/>[i] of the source, or zeros for -1.</summary>
    /// <param name="target">As many bytes as those rows, zeros; must not overlap the source.</param>
    /// <returns>target as [rows, columns].</returns>
    public static MatrixView Compute(MatrixView source, ReadOnlySpan<int> rows, NativeBuffer target)
    {
        var result = new MatrixView(target.Memory, source.Type, rows.Length, source.Columns);
        for (var i = 0; i < rows.Length; i++)
        {
            if (rows[i] == -1)
            {
                continue;
            }
            ArgumentOutOfRangeException.ThrowIfNegative(rows[i], nameof(rows));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rows[i], source.Rows, nameof(rows));
            Buffer.MemoryCopy(source.Address + rows[i] * source.RowBytes, result.Address + i * result.RowBytes,
                result.RowBytes, result.RowBytes);
        }
        GC.KeepAlive(source.Memory.Owner);
        return result;
    }
}
