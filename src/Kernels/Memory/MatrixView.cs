namespace Hearth.Kernels;

/// <summary>A row-major matrix in native memory: rows are output features, columns input features, as nn.Linear stores
/// them.</summary>
public readonly unsafe struct MatrixView
{
    /// <exception cref="ArgumentException">The memory is not exactly rows x columns elements.</exception>
    public MatrixView(TensorMemory memory, DType type, int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns, Limits.ColumnsMax);
        if (memory.Length != rows * type.RowBytes(columns))
        {
            throw new ArgumentException($"[{rows}, {columns}] of {type} needs {rows * type.RowBytes(columns)} bytes, "
                + $"the memory has {memory.Length}", nameof(memory));
        }
        (Memory, Type, Rows, Columns) = (memory, type, rows, columns);
    }

    public TensorMemory Memory { get; }

    public DType Type { get; }

    public int Rows { get; }

    public int Columns { get; }

    internal byte* Address => Memory.Address;

    internal long RowBytes => Type.RowBytes(Columns);

    /// <summary>Rows from..from+count-1 of the same memory, e.g. one part of a fused projection.</summary>
    public MatrixView SliceRows(int from, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Rows - from);
        return new MatrixView(Memory.Slice(from * RowBytes, count * RowBytes), Type, count, Columns);
    }
}
