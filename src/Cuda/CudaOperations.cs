using Hearth.Kernels;

namespace Hearth.Cuda;

/// <summary>One launcher per kernel, with the arithmetic of its grid. All of one stream.</summary>
sealed class CudaOperations(CudaStream stream, CudaKernels kernels, int multiprocessors)
{
    /// <summary>Rows that the matrix-vector kernels take at once.</summary>
    public const int GemvRowsMax = Limits.GemvRowsMax;

    /// <summary>Numbers of a head that the attention kernels take.</summary>
    public const int HeadDimMax = 256;

    /// <summary>Positions of a part of flash-decoding.</summary>
    public const int PartTokens = Limits.PartTokens;

    const int ElementsPerThread = 8, BlocksPerMultiprocessor = 8;
    const int OutputsPerBlock = 4, WarpSize = 32;

    public void Embed(DType type, ulong table, ulong ids, ulong target, int rows, int width, float scale, bool accumulate) =>
        kernels.Of<EmbedLaunch>("embed", type).Launch(
            stream, rows, new(table, ids, target, width, scale, accumulate ? 1 : 0));

    /// <param name="type">Of the target.</param>
    /// <param name="groups">Parts of a row that are normalised each by itself; the weight is as long as a row.</param>
    public void RmsNorm(DType type, ulong source, ulong weight, ulong target, int rows, int width, float epsilon, int groups) =>
        kernels.Of<RmsNormLaunch>("rms_norm", type).Launch(
            stream, rows * groups, new(source, weight, target, width / groups, epsilon, groups));

    public void LayerNorm(
        DType type, ulong source, ulong weight, ulong bias, ulong target, int rows, int width, float epsilon, int groups) =>
        kernels.Of<LayerNormLaunch>("layer_norm", type).Launch(
            stream, rows * groups, new(source, weight, bias, target, width / groups, epsilon, groups));

    public void Narrow(DType type, ulong source, ulong target, long count) =>
        kernels.Of<ConvertLaunch>("narrow", type).Launch(stream, BlocksFor(count), new(source, target, count));

    public void Widen(DType type, ulong source, ulong target, long count) =>
        kernels.Of<ConvertLaunch>("widen", type).Launch(stream, BlocksFor(count), new(source, target, count));

    /// <param name="type">Of the weights.</param>
    public void Gemv(DType type, in GemvLaunch maps) =>
        kernels.Of<GemvLaunch>("gemv", type).Launch(
            stream, (maps.N0 + maps.N1 + maps.N2 + OutputsPerBlock - 1) / OutputsPerBlock, maps);

    /// <summary>The same on tensor cores: any number of rows, rounded to the weights' type. K is a multiple of 8.</summary>
    public void Skinny(DType type, in GemvLaunch maps)
    {
        const int Tile = 16, Threads = 256;
        var outputs = (maps.N0 + Tile - 1) / Tile + (maps.N1 + Tile - 1) / Tile + (maps.N2 + Tile - 1) / Tile;
        kernels.Of<GemvLaunch>("skinny", type).Launch(stream, (outputs, (maps.Rows + Tile - 1) / Tile, 1), Threads, 0, maps);
    }

    public void Rope(bool isInterleaved, int rows, in RopeLaunch rope) =>
        kernels.Of<RopeLaunch>(isInterleaved ? "rope_interleaved" : "rope").Launch(stream, rows, rope);

    /// <param name="type">Of the pool.</param>
    public void WriteKv(DType type, int rows, in KvWriteLaunch write) =>
        kernels.Of<KvWriteLaunch>("kv_write", type).Launch(stream, rows, write);

    /// <param name="isExact">By multiply-adds in f32, for any head size.</param>
    public void AttendDecode(DType type, bool isExact, int sequences, in AttendDecodeLaunch attend)
    {
        var isFast = !isExact && HasTensorKernels(type, attend.HeadDim);
        var shared = isFast ? 32 * attend.HeadDim + 256 * (attend.HeadDim + attend.ValueStride) : 0;
        kernels.Of<AttendDecodeLaunch>("attend_decode", type, isFast ? attend.HeadDim : 0).Launch(
            stream, (attend.Parts, attend.KvHeads, sequences), Limits.ThreadsPerBlock, shared, attend);
    }

    public void AttendMerge(int sequences, in AttendMergeLaunch merge) =>
        kernels.Of<AttendMergeLaunch>("attend_merge").Launch(
            stream, (merge.Heads, sequences, 1), Limits.ThreadsPerBlock, 0, merge);

    public void AttendPrefill(DType type, bool isExact, int tiles, in AttendPrefillLaunch attend)
    {
        var isFast = !isExact && HasTensorKernels(type, attend.HeadDim);
        var rows = TileRows(type, attend.HeadDim, isExact);
        var shared = isFast ? 2 * attend.HeadDim * rows + 256 * (attend.HeadDim + attend.ValueStride) : 0;
        kernels.Of<AttendPrefillLaunch>("attend_prefill", type, isFast ? attend.HeadDim : 0).Launch(
            stream, (tiles, attend.Heads, 1), Limits.ThreadsPerBlock, shared, attend);
    }

    /// <summary>Rows of a tile of <see cref="AttendPrefill"/>.</summary>
    public static int TileRows(DType type, int headDim, bool isExact) =>
        !isExact && HasTensorKernels(type, headDim) && headDim < 256 ? 128 : 64;

    static bool HasTensorKernels(DType type, int headDim) =>
        (type, headDim) is (DType.F16 or DType.BF16, 64 or 80 or 96 or 128 or 256);

    /// <param name="type">Of the target.</param>
    public void Activate(DType type, ulong gate, ulong up, ulong target, long count, int kind) =>
        kernels.Of<ActivateLaunch>("activate", type).Launch(stream, BlocksFor(count), new(gate, up, target, count, kind));

    public void GatherRows(ulong source, ulong rowIds, ulong target, int rows, int width) =>
        kernels.Of<GatherRowsLaunch>("gather_rows").Launch(stream, rows, new(source, rowIds, target, width));

    /// <summary>The first of the largest of each row, or -1.</summary>
    public void Argmax(ulong logits, ulong target, int rows, int width)
    {
        const int Threads = 1024;
        kernels.Of<ArgmaxLaunch>("argmax").Launch(stream, (rows, 1, 1), Threads, 0, new(logits, target, width));
    }

    public void Route(int rows, in RouteLaunch route) =>
        kernels.Of<RouteLaunch>("route").Launch(stream, (rows, 1, 1), WarpSize, 0, route);

    /// <param name="type">Of the weights.</param>
    public void GemvExperts(DType type, int pairs, in GemvExpertsLaunch maps) =>
        kernels.Of<GemvExpertsLaunch>("gemv_experts", type).Launch(
            stream, ((maps.N + OutputsPerBlock - 1) / OutputsPerBlock, pairs, 1), Limits.ThreadsPerBlock, 0, maps);

    public void CombineRows(int rows, in CombineRowsLaunch combine) =>
        kernels.Of<CombineRowsLaunch>("combine_rows").Launch(stream, rows, combine);

    public void Clip(ulong target, float limit, long count) =>
        kernels.Of<ClipLaunch>("clip").Launch(stream, BlocksFor(count), new(target, limit, count));

    /// <param name="gates">Address of f32 [rows], or 0.</param>
    public void AddRows(ulong source, ulong gates, ulong target, int rows, int width, float scale) =>
        kernels.Of<AddRowsLaunch>("add_rows").Launch(
            stream, BlocksFor((long)rows * width), new(source, gates, target, (long)rows * width, width, scale));

    /// <summary>Blocks' first tokens to or from the compact form.</summary>
    /// <param name="size">Bytes of a number: 2 or 4.</param>
    public void MoveKv(bool isExport, int size, in KvMoveLaunch move)
    {
        var type = size == sizeof(float) ? DType.F32 : DType.F16;
        kernels.Of<KvMoveLaunch>(isExport ? "kv_export" : "kv_import", type).Launch(
            stream, (move.Layers * move.KvHeads, move.BlockCount, 1), Limits.ThreadsPerBlock, 0, move);
    }

    /// <summary>Blocks of a loop over so many numbers, enough to fill the card.</summary>
    int BlocksFor(long count)
    {
        var blocks = (count + Limits.ThreadsPerBlock * ElementsPerThread - 1) / (Limits.ThreadsPerBlock * ElementsPerThread);
        return (int)Math.Clamp(blocks, 1, multiprocessors * BlocksPerMultiprocessor);
    }
}
