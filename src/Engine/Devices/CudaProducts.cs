using Hearth.Cuda;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>One map of a product: its weights, where it goes, and whether that is added to.</summary>
readonly record struct CudaMap(CudaLinear Linear, ulong Target, bool Accumulate);

/// <summary>Linear maps: few rows by the matrix-vector kernels, which take f32 rows and read the weights once for all maps, some
/// more by the skinny ones on tensor cores, many by cuBLASLt.</summary>
sealed class CudaProducts(CudaCard card, CudaStream stream, CudaOperations operations, CudaOptions options) : IDisposable
{
    const int MapsMax = 3;

    /// <summary>Rows up to which reading the weights again for every 16 costs less than what cuBLASLt asks for.</summary>
    const int SkinnyRowsMax = 32;

    readonly Gemm _gemm = new(stream, card.Cache, options.Deterministic);
    readonly GrowingMemory _widened = new(stream);

    public int Moves => _widened.Moves;

    /// <summary>Whether so many rows go on in the type of the weights.</summary>
    public bool TakesNarrow(int rows, DType type) => type != DType.F32 && !options.Exact && !IsByVector(rows);

    /// <param name="first">Of the source's rows; targets begin at their first.</param>
    public void Multiply(CudaBuffers buffers, BufferId source, int first, int rows, ReadOnlySpan<CudaMap> maps)
    {
        if (IsByVector(rows))
        {
            ByVector(At(buffers.Read(source), first, source.Width), rows, maps);
            return;
        }
        foreach (ref readonly var map in maps)
            ByMatrix(buffers, source, first, rows, map);
    }

    public void Dispose()
    {
        _gemm.Dispose();
        _widened.Dispose();
    }

    bool IsByVector(int rows) =>
        options.Deterministic || rows <= (options.Exact ? CudaOperations.GemvRowsMax : SkinnyRowsMax);

    void ByVector(ulong source, int rows, ReadOnlySpan<CudaMap> maps)
    {
        for (var at = 0; at < maps.Length;)
        {
            // Maps of one type go together.
            var count = 1;
            while (at + count < maps.Length && count < MapsMax && maps[at + count].Linear.Type == maps[at].Linear.Type)
                count++;
            ByVector(source, rows, maps.Slice(at, count), maps[at].Linear);
            at += count;
        }
    }

    /// <param name="linear">One of the maps, which are all of its type and columns.</param>
    void ByVector(ulong source, int rows, ReadOnlySpan<CudaMap> maps, in CudaLinear linear)
    {
        // In deterministic mode always one kernel: another one would add in another order.
        if (!options.Exact && linear.Type != DType.F32 && linear.Columns % 8 == 0
            && (options.Deterministic || rows > CudaOperations.GemvRowsMax))
        {
            operations.Skinny(linear.Type, Launch(source, 0, rows, maps) with { Rows = rows });
            return;
        }
        for (var row = 0; row < rows; row += CudaOperations.GemvRowsMax)
            operations.Gemv(linear.Type, Launch(source, row, rows, maps));
    }

    static GemvLaunch Launch(ulong source, int row, int rows, ReadOnlySpan<CudaMap> maps)
    {
        var (a, b, c) = (maps[0], maps.Length > 1 ? maps[1] : default, maps.Length > 2 ? maps[2] : default);
        var accumulate = (a.Accumulate ? 1 : 0) | (b.Accumulate ? 2 : 0) | (c.Accumulate ? 4 : 0);
        return new GemvLaunch(
            a.Linear.Weights, b.Linear.Weights, c.Linear.Weights, a.Linear.Bias, b.Linear.Bias, c.Linear.Bias,
            At(a.Target, row, a.Linear.Rows), At(b.Target, row, b.Linear.Rows), At(c.Target, row, c.Linear.Rows),
            At(source, row, a.Linear.Columns), a.Linear.Rows, b.Linear.Rows, c.Linear.Rows, a.Linear.Columns,
            Math.Min(CudaOperations.GemvRowsMax, rows - row), accumulate);
    }

    void ByMatrix(CudaBuffers buffers, BufferId source, int first, int rows, in CudaMap map)
    {
        var linear = map.Linear;
        var (type, weights) = (linear.Type, linear.Weights);
        if (type != DType.F32 && options.Exact)
        {
            var count = (long)linear.Rows * linear.Columns;
            weights = _widened.Reserve(count * sizeof(float));
            operations.Widen(type, linear.Weights, weights, count);
            type = DType.F32;
        }
        var input = type == DType.F32 ? buffers.Read(source) : buffers.Narrow(source, type);
        input += (ulong)((long)first * source.Width * type.Size());
        var shape = new GemmShape(rows, linear.Rows, linear.Columns, type, DType.F32, linear.Bias != 0, map.Accumulate);
        _gemm.Multiply(shape, weights, linear.Bias, input, map.Target);
    }

    static ulong At(ulong address, int row, int width) => address + (ulong)((long)row * width * sizeof(float));
}
