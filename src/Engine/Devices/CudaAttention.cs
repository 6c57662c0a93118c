using System.Numerics;
using Hearth.Cuda;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>Attention over a card's pool: sequences with one new row by flash-decoding, others in tiles.</summary>
sealed class CudaAttention(CudaStream stream, CudaOperations operations, CudaKvPool pool, bool isExact) : IDisposable
{
    readonly GrowingMemory _partials = new(stream);

    public int Moves => _partials.Moves;

    /// <summary>Parts that a step of such a length is cut in: a power of two, so that few graphs are recorded.</summary>
    public static int PartsFor(int length) =>
        (int)BitOperations.RoundUpToPowerOf2((uint)((length + CudaOperations.PartTokens - 1) / CudaOperations.PartTokens));

    /// <summary>Rows of a tile.</summary>
    public int TileRows => CudaOperations.TileRows(pool.Layout.Type, pool.Layout.HeadDim, isExact);

    /// <param name="slopes">Address of f32 [heads], or 0.</param>
    public void Attend(
        int layer, in AttentionSpec spec, ulong slopes, ulong queries, in CudaSpans spans, ulong tables, ulong target)
    {
        if (spans.MemberCount > 0)
            Decode(layer, spec, slopes, queries, spans, tables, target);
        if (spans.TileCount > 0)
        {
            var layout = pool.Layout;
            operations.AttendPrefill(layout.Type, isExact, spans.TileCount, new(
                queries, pool.Address, spans.Spans, tables, spans.Tiles, target, layer, layout.Layers, spec.Heads, layout.KvHeads,
                layout.HeadDim, layout.ValueStride, spec.Scale, spec.Window, spec.SoftCap, spec.SinkTokens, slopes));
        }
    }

    public void Dispose() => _partials.Dispose();

    void Decode(int layer, in AttentionSpec spec, ulong slopes, ulong queries, in CudaSpans spans, ulong tables, ulong target)
    {
        var layout = pool.Layout;
        var parts = PartsFor(spans.LengthMax);
        var bytesEach = (long)spec.Heads * parts * (layout.HeadDim + 2) * sizeof(float);
        var most = (int)Math.Clamp(Limits.CudaPartialBytes / bytesEach, 1, spans.MemberCount);
        var partials = _partials.Reserve(most * bytesEach);
        for (var from = 0; from < spans.MemberCount; from += most)
        {
            var (count, members) = (Math.Min(most, spans.MemberCount - from), spans.Members + (ulong)(from * sizeof(int)));
            operations.AttendDecode(layout.Type, isExact, count, new(
                queries, pool.Address, spans.Spans, tables, members, partials, parts, layer, layout.Layers, spec.Heads,
                layout.KvHeads, layout.HeadDim, layout.ValueStride, spec.Scale, spec.Window, spec.SoftCap, spec.SinkTokens,
                slopes));
            operations.AttendMerge(count, new(
                partials, spans.Spans, members, target, parts, spec.Heads, layout.HeadDim, spec.Window, spec.SinkTokens));
        }
    }
}
