using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>One product C = A W^T of a run: weights [n, k], optional bias [n], result [m, n].</summary>
/// <param name="accumulate">Add to what the result holds (a residual) rather than overwrite it.</param>
public readonly ref struct Product(MatrixView weights, Span<float> result, ReadOnlySpan<float> bias = default,
    bool accumulate = false)
{
    public MatrixView Weights { get; } = weights;

    public Span<float> Result { get; } = result;

    public ReadOnlySpan<float> Bias { get; } = bias;

    public bool Accumulate { get; } = accumulate;
}

/// <summary>
/// Matrix products of f32 activations with weights in their stored type, summed in f32. Each element of the result is summed in
/// one order (<see cref="ReductionOrder"/>), so that a row does not change with m, its neighbours or the threads.
/// </summary>
public static unsafe class MatMul
{
    const int GemvChunkBytes = 128 << 10;
    const int SmallRows = 32;
    const int PanelTilesMin = 8;
    const int PanelTilesMax = 16;

    /// <summary>Chunks per thread that keep the last one's wait small.</summary>
    const int ChunksPerThread = 10;
    const long SharedWorkMin = 65_536;

    /// <param name="a">[m, k]</param>
    public static void Compute(KernelContext context, ReadOnlySpan<float> a, int m, in Product first)
    {
        Span<Target> targets = stackalloc Target[1];
        fixed (float* c0 = first.Result, b0 = first.Bias)
        {
            targets[0] = TargetOf(first, c0, b0, a.Length, m);
            Run(context, a, m, targets);
        }
        GC.KeepAlive(first.Weights.Memory.Owner);
    }

    /// <summary>Two products of the same activations in one run, e.g. gate and up.</summary>
    public static void Compute(KernelContext context, ReadOnlySpan<float> a, int m, in Product first, in Product second)
    {
        Span<Target> targets = stackalloc Target[2];
        fixed (float* c0 = first.Result, b0 = first.Bias, c1 = second.Result, b1 = second.Bias)
        {
            targets[0] = TargetOf(first, c0, b0, a.Length, m);
            targets[1] = TargetOf(second, c1, b1, a.Length, m);
            Run(context, a, m, targets);
        }
        GC.KeepAlive(first.Weights.Memory.Owner);
        GC.KeepAlive(second.Weights.Memory.Owner);
    }

    /// <summary>Three products of the same activations in one run, e.g. query, key and value.</summary>
    public static void Compute(KernelContext context, ReadOnlySpan<float> a, int m, in Product first, in Product second,
        in Product third)
    {
        Span<Target> targets = stackalloc Target[3];
        fixed (float* c0 = first.Result, b0 = first.Bias, c1 = second.Result, b1 = second.Bias)
        fixed (float* c2 = third.Result, b2 = third.Bias)
        {
            targets[0] = TargetOf(first, c0, b0, a.Length, m);
            targets[1] = TargetOf(second, c1, b1, a.Length, m);
            targets[2] = TargetOf(third, c2, b2, a.Length, m);
            Run(context, a, m, targets);
        }
        GC.KeepAlive(first.Weights.Memory.Owner);
        GC.KeepAlive(second.Weights.Memory.Owner);
        GC.KeepAlive(third.Weights.Memory.Owner);
    }

    static void Run(KernelContext context, ReadOnlySpan<float> a, int m, ReadOnlySpan<Target> targets)
    {
        fixed (float* pa = a)
        {
            if (m == 1)
            {
                RunOne(context, pa, targets);
                return;
            }
            Span<Target> block = stackalloc Target[targets.Length];
            var k = targets[0].K;
            for (var row = 0; row < m; row += Limits.ActivationRowsMax)
            {
                for (var i = 0; i < targets.Length; i++)
                {
                    block[i] = targets[i];
                    block[i].C += (nint)row * targets[i].N;
                }
                RunMany(context, pa + (nint)row * k, Math.Min(Limits.ActivationRowsMax, m - row), block);
            }
        }
    }

    static void RunOne(KernelContext context, float* a, ReadOnlySpan<Target> targets)
    {
        var rowBytes = Math.Max(targets[0].RowBytes, 1);
        var chunks = Targets.Of(targets, (int)Math.Clamp(GemvChunkBytes / rowBytes, 4, 4096) & ~3);
        Share(context, new GemvJob(context.Kernels, chunks, a), chunks.Chunks, Work(1, targets));
    }

    static void RunMany(KernelContext context, float* a, int m, ReadOnlySpan<Target> targets)
    {
        var (kernels, k) = (context.Kernels, targets[0].K);
        var tiles = (m + kernels.TileRows - 1) / kernels.TileRows;
        var chunkTiles = ChunkTiles(context, targets);
        var panelTiles = m <= SmallRows ? 1 : chunkTiles;
        var scratch = (GemmJob.ScratchBytes(kernels, m, panelTiles) + 63) & ~63L;
        var packedBytes = ((long)tiles * kernels.TileRows * kernels.Padded(k) * sizeof(float) + 63) & ~63L;
        var memory = context.Scratch.Reserve(packedBytes + scratch * context.Threads);
        var packed = (float*)memory;
        Share(context, new PackJob(kernels, a, m, k, packed), tiles, (long)m * k);
        var chunks = Targets.Of(targets, chunkTiles * kernels.TileColumns);
        Share(context, new GemmJob(kernels, chunks, packed, m, panelTiles, memory + packedBytes, scratch), chunks.Chunks,
            Work(m, targets));
    }

    /// <summary>Small work stays here: a fork and a join cost about a microsecond.</summary>
    static void Share<TJob>(KernelContext context, in TJob job, int chunks, long work) where TJob : struct, IChunkJob
    {
        if (work >= SharedWorkMin)
        {
            context.Pool.Run(job, chunks);
            return;
        }
        for (var chunk = 0; chunk < chunks; chunk++)
        {
            Unsafe.AsRef(in job).Execute(chunk, 0);
        }
    }

    static int ChunkTiles(KernelContext context, ReadOnlySpan<Target> targets)
    {
        var rows = 0L;
        foreach (ref readonly var target in targets)
        {
            rows += target.N;
        }
        return (int)Math.Clamp(rows / (context.Kernels.TileColumns * context.Threads * ChunksPerThread), PanelTilesMin,
            PanelTilesMax);
    }

    static long Work(int m, ReadOnlySpan<Target> targets)
    {
        var work = 0L;
        foreach (ref readonly var target in targets)
        {
            work += (long)m * target.N * target.K;
        }
        return work;
    }

    static Target TargetOf(in Product product, float* c, float* bias, int activations, int m)
    {
        var (n, k) = (product.Weights.Rows, product.Weights.Columns);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1, "columns");
        ArgumentOutOfRangeException.ThrowIfNegative(m);
        Check.Length(activations, (long)m * k, "a");
        Check.Length(product.Result.Length, (long)m * n, "result");
        Check.Length(product.Bias.Length, product.Bias.IsEmpty ? 0 : n, "bias");
        return new Target
        {
            W = product.Weights.Address,
            Type = product.Weights.Type,
            N = n,
            K = k,
            Bias = product.Bias.IsEmpty ? null : bias,
            C = c,
            Accumulate = product.Accumulate,
        };
    }
}
