namespace Hearth.Kernels;

/// <summary>
/// How a batch is cut into items: a sequence with few rows (decode) by KV head and part of its keys, the parts merged by
/// whoever ends last; one with many rows (prefill) by KV head and tile of queries, the longest first.
/// </summary>
readonly unsafe struct AttentionPlan
{
    public const int PartTokens = 256;

    const int ChunksPerThread = 4;

    public SequencePlan* Sequences { get; private init; }

    public int SequenceCount { get; private init; }

    public int Items { get; private init; }

    /// <summary>Neighbours: heads lie behind one another, so a worker that takes some in a row reads on where it was.</summary>
    public int ItemsPerChunk { get; private init; }

    public int Chunks => (Items + ItemsPerChunk - 1) / ItemsPerChunk;

    /// <summary>States of parts, by sequence, KV head and part.</summary>
    public float* Partials { get; private init; }

    /// <summary>Parts done, by sequence and KV head.</summary>
    public int* Counters { get; private init; }

    public float* WorkerScratch { get; private init; }

    /// <param name="work">Multiply-adds of the whole batch, about.</param>
    public static AttentionPlan Make(KernelContext context, in AttentionShape shape, ReadOnlySpan<KvSpan> sequences,
        out long work)
    {
        var partialFloats = 0L;
        foreach (ref readonly var span in sequences)
        {
            partialFloats += SequencePlan.Of(span, shape, 0, 0, 0).PartialFloats(shape);
        }
        var planBytes = Aligned((long)sequences.Length * sizeof(SequencePlan));
        var counterBytes = Aligned((long)sequences.Length * shape.Layout.KvHeads * sizeof(int));
        var partialBytes = Aligned(partialFloats * sizeof(float));
        var workerBytes = Aligned((long)shape.WorkerFloats * sizeof(float)) * context.Threads;
        var memory = context.Scratch.Reserve(planBytes + counterBytes + partialBytes + workerBytes);
        new Span<byte>(memory + planBytes, (int)counterBytes).Clear();
        var plans = (SequencePlan*)memory;
        var (items, partials) = (0, 0L);
        work = 0;
        for (var i = 0; i < sequences.Length; i++)
        {
            plans[i] = SequencePlan.Of(sequences[i], shape, items, partials, i * shape.Layout.KvHeads);
            items += plans[i].Units * shape.Layout.KvHeads;
            partials += plans[i].PartialFloats(shape);
            work += 2L * sequences[i].Rows * (shape.Length(sequences[i]) - shape.LeastSeen(sequences[i].Start)) * shape.Spec.Heads
                * shape.Layout.HeadDim;
        }
        return new AttentionPlan
        {
            Sequences = plans,
            SequenceCount = sequences.Length,
            Items = items,
            ItemsPerChunk = Math.Clamp(items / (context.Threads * ChunksPerThread), 1, shape.Layout.KvHeads),
            Counters = (int*)(memory + planBytes),
            Partials = (float*)(memory + planBytes + counterBytes),
            WorkerScratch = (float*)(memory + planBytes + counterBytes + partialBytes),
        };
    }

    /// <summary>The sequence an item belongs to: the last whose first item is not beyond it.</summary>
    public SequencePlan* Find(int item)
    {
        var (low, high) = (0, SequenceCount - 1);
        while (low < high)
        {
            var middle = (low + high + 1) >> 1;
            (low, high) = Sequences[middle].FirstItem <= item ? (middle, high) : (low, middle - 1);
        }
        return Sequences + low;
    }

    static long Aligned(long bytes) => (bytes + Limits.Alignment - 1) & -Limits.Alignment;
}

/// <summary>One sequence's items: units x KV heads, a unit being a part (when split) or a tile.</summary>
readonly struct SequencePlan
{
    public KvSpan Span { get; private init; }

    public int FirstItem { get; private init; }

    public bool Split { get; private init; }

    public int Units { get; private init; }

    /// <summary>First part that has keys to see.</summary>
    public int FirstPart { get; private init; }

    public long FirstPartial { get; private init; }

    public int FirstCounter { get; private init; }

    public static SequencePlan Of(in KvSpan span, in AttentionShape shape, int firstItem, long firstPartial, int firstCounter)
    {
        var firstPart = shape.Spec.SinkTokens > 0 || shape.Spec.All ? 0 : shape.LeastSeen(span.Start) / AttentionPlan.PartTokens;
        var parts = span.Rows == 0 ? 0 : (shape.Length(span) - 1) / AttentionPlan.PartTokens + 1 - firstPart;
        var tiles = (span.Rows + shape.TilePositions - 1) / shape.TilePositions;
        var split = tiles == 1 && parts > 1;
        return new SequencePlan
        {
            Span = span,
            FirstItem = firstItem,
            Split = split,
            Units = split ? parts : tiles,
            FirstPart = firstPart,
            FirstPartial = firstPartial,
            FirstCounter = firstCounter,
        };
    }

    public long PartialFloats(in AttentionShape shape) =>
        Split ? (long)Units * shape.Layout.KvHeads * shape.StateFloats(Span.Rows * shape.Group) : 0;
}
