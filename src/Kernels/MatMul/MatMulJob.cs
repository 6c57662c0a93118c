using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>A <see cref="Product"/> as addresses.</summary>
unsafe struct Target
{
    public byte* W;
    public float* Bias;
    public float* C;
    public DType Type;
    public int N;
    public int K;
    public bool Accumulate;

    public readonly long RowBytes => Type.RowBytes(K);

    /// <summary>Puts a sum where it belongs; the one place that ends an element's arithmetic.</summary>
    public readonly void Finish(nint row, int column, float sum)
    {
        var value = Bias == null ? sum : sum + Bias[column];
        var c = C + row * N + column;
        *c = Accumulate ? *c + value : value;
    }
}

/// <summary>Up to three targets behind one another as one range of chunks.</summary>
struct Targets
{
    public Target First, Second, Third;
    public int ChunkRows, ChunksFirst, ChunksSecond, ChunksThird;

    public readonly int Chunks => ChunksFirst + ChunksSecond + ChunksThird;

    public static Targets Of(ReadOnlySpan<Target> targets, int chunkRows)
    {
        var all = new Targets { ChunkRows = chunkRows, First = targets[0], ChunksFirst = ChunksOf(targets[0], chunkRows) };
        if (targets.Length > 1)
        {
            (all.Second, all.ChunksSecond) = (targets[1], ChunksOf(targets[1], chunkRows));
        }
        if (targets.Length > 2)
        {
            (all.Third, all.ChunksThird) = (targets[2], ChunksOf(targets[2], chunkRows));
        }
        return all;
    }

    /// <summary>The target of a chunk and its range of weight rows there.</summary>
    public readonly Target Find(int chunk, out int from, out int to)
    {
        var target = First;
        if (chunk >= ChunksFirst)
        {
            (chunk, target) = (chunk - ChunksFirst, Second);
            if (chunk >= ChunksSecond)
            {
                (chunk, target) = (chunk - ChunksSecond, Third);
            }
        }
        (from, to) = (chunk * ChunkRows, (int)Math.Min(target.N, (long)(chunk + 1) * ChunkRows));
        return target;
    }

    static int ChunksOf(in Target target, int chunkRows) => (target.N + chunkRows - 1) / chunkRows;
}

/// <summary>One row of activations: weights go from memory to registers.</summary>
readonly unsafe struct GemvJob(KernelSet kernels, Targets targets, float* a) : IChunkJob
{
    const int Batch = 64;

    public void Execute(int chunk, int worker)
    {
        var target = targets.Find(chunk, out var from, out var to);
        var sums = stackalloc float[Batch];
        for (; from < to; from += Batch)
        {
            var rows = Math.Min(Batch, to - from);
            kernels.MultiplyRow(target.Type, a, target.W + from * target.RowBytes, rows, target.K, sums);
            for (var i = 0; i < rows; i++)
            {
                target.Finish(0, from + i, sums[i]);
            }
        }
    }
}

/// <summary>Lays tiles of activations out: [tile][block of k][step][row][lane].</summary>
readonly unsafe struct PackJob(KernelSet kernels, float* a, int m, int k, float* packed) : IChunkJob
{
    public void Execute(int chunk, int worker)
    {
        var rows = kernels.TileRows;
        var source = (byte*)(a + (nint)chunk * rows * k);
        var target = packed + (nint)chunk * rows * kernels.Padded(k);
        for (var from = 0; from < k; from += ReductionOrder.BlockK)
        {
            var columns = Math.Min(ReductionOrder.BlockK, k - from);
            kernels.Pack(DType.F32, source + (nint)from * sizeof(float), (nint)k * sizeof(float),
                Math.Min(rows, m - chunk * rows), rows, columns, target + (nint)from * rows);
        }
    }
}

/// <summary>
/// Many rows of activations, packed. A panel of weights is widened and packed once per block of k and stays in the
/// second-level cache while all tiles of activations pass; a tile of activations stays in the first-level one while the
/// panel's tiles pass.
/// </summary>
readonly unsafe struct GemmJob(KernelSet kernels, Targets targets, float* packed, int m, int panelTiles, byte* scratch,
    long scratchBytes)
    : IChunkJob
{
    /// <summary>Up to here weights are fetched ahead, beyond it activations.</summary>
    const int AheadRows = 128;

    public static long ScratchBytes(KernelSet kernels, int m, int panelTiles)
    {
        var tiles = (m + kernels.TileRows - 1) / kernels.TileRows;
        var panel = (long)panelTiles * kernels.TileColumns * ReductionOrder.BlockK;
        return (panel + (long)tiles * panelTiles * kernels.TileRows * kernels.TileColumns) * sizeof(float);
    }

    public void Execute(int chunk, int worker)
    {
        var target = targets.Find(chunk, out var from, out var to);
        var panelRows = panelTiles * kernels.TileColumns;
        var panel = (float*)(scratch + worker * scratchBytes);
        var sums = panel + (nint)panelRows * ReductionOrder.BlockK;
        for (; from < to; from += panelRows)
        {
            var rows = Math.Min(panelRows, to - from);
            for (var k = 0; k < target.K; k += ReductionOrder.BlockK)
            {
                var columns = Math.Min(ReductionOrder.BlockK, target.K - k);
                PackPanel(target, from, rows, k, columns, panel);
                MultiplyPanel(target, from, rows, k, columns, panel, sums);
            }
            Finish(target, from, rows, sums);
        }
    }

    void PackPanel(in Target target, int from, int rows, int k, int columns, float* panel)
    {
        var width = kernels.TileColumns;
        var source = target.W + from * target.RowBytes + (nint)target.Type.RowBytes(k);
        for (var row = 0; row < rows; row += width, panel += (nint)width * kernels.Padded(columns))
        {
            kernels.Pack(target.Type, source + row * target.RowBytes, (nint)target.RowBytes, Math.Min(width, rows - row), width,
                columns, panel);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void MultiplyPanel(in Target target, int from, int rows, int k, int columns, float* panel, float* sums)
    {
        var (height, width) = (kernels.TileRows, kernels.TileColumns);
        var padded = kernels.Padded(columns);
        var steps = padded / kernels.Lanes;
        var tileFloats = (nint)height * kernels.Padded(target.K);
        var weights = new Ahead(target, from + panelTiles * width, panelTiles * width, k, (m + height - 1) / height * panelTiles);
        var a = packed + (nint)k * height;
        for (var row = 0; row < m; row += height, a += tileFloats)
        {
            var w = panel;
            for (var column = 0; column < rows; column += width, w += (nint)width * padded, sums += height * width)
            {
                // Few rows wait for weights, many for the next tile of activations: two calls fetch
                // half of it and the hardware goes on.
                var ahead = m <= AheadRows ? weights.Next()
                    : (byte*)(a + tileFloats) + Math.Min(column / width, 1) * Ahead.Bytes(steps);
                kernels.MultiplyTile(a, w, steps, sums, k == 0, ahead);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Finish(in Target target, int from, int rows, float* sums)
    {
        var (height, width) = (kernels.TileRows, kernels.TileColumns);
        for (var row = 0; row < m; row += height)
        {
            for (var column = 0; column < rows; column += width, sums += height * width)
            {
                for (var j = 0; j < Math.Min(width, rows - column); j++)
                {
                    for (var i = 0; i < Math.Min(height, m - row); i++)
                    {
                        target.Finish(row + i, from + column + j, sums[j * height + i]);
                    }
                }
            }
        }
    }
}

/// <summary>
/// The next panel's weights, fetched while a panel is multiplied and spread evenly over the calls: with few rows of
/// activations a product is as slow as memory, which would rest while the tiles compute.
/// </summary>
unsafe struct Ahead
{
    readonly byte* _end;
    readonly nint _perCall;
    byte* _next;

    public Ahead(in Target target, int from, int rows, int k, int calls)
    {
        var (first, last) = (Math.Min(from, target.N), Math.Min(from + rows, target.N));
        var bytes = (last - first) * target.RowBytes;
        _next = target.W + first * target.RowBytes + (nint)(bytes * ((double)k / target.K));
        _end = target.W + first * target.RowBytes + (nint)(bytes * Math.Min(1, (double)(k + ReductionOrder.BlockK) / target.K));
        _perCall = (nint)(_end - _next) / calls + 1;
    }

    /// <summary>What one call fetches: two lines per step.</summary>
    public static int Bytes(int steps) => steps * 128;

    public byte* Next()
    {
        var next = _next;
        _next = next + _perCall < _end ? next + _perCall : _end;
        return next;
    }
}
