namespace Hearth.Kernels;

/// <summary>What one layer's attention looks like.</summary>
/// <param name="Heads">Query heads, a multiple of the pool's KV heads: head h reads KV head h / (Heads / KvHeads).</param>
/// <param name="Scale">Factor of the products, usually 1 / sqrt(headDim).</param>
/// <param name="Window">A query at i sees keys j with i - Window &lt; j &lt;= i; 0 for all of the past.</param>
/// <param name="SoftCap">Scores become cap * tanh(score / cap); 0 for none.</param>
/// <param name="SinkTokens">The first positions, visible whatever the window.</param>
/// <param name="Slopes">By query head: slope * (j - i) is added to the score of a key at j (ALiBi); null for nothing.</param>
/// <param name="Biases">[heads, 2 * reach + 1]: biases[h, clamp(j - i, -reach, reach) + reach] is added (T5); null for
/// nothing.</param>
/// <param name="All">Queries see all <see cref="KvSpan.Keys"/> keys, not the past alone: encoders, and attention to
/// them.</param>
public readonly record struct AttentionSpec(int Heads, float Scale, int Window = 0, float SoftCap = 0, int SinkTokens = 0,
    float[]? Slopes = null, float[]? Biases = null, bool All = false);

/// <summary>
/// Causal flash attention over paged blocks, for prefill chunks and decode alike (Dao 2023): an online softmax over keys in
/// ascending order, never more than a part's scores at once. Keys are cut in fixed parts of <see
/// cref="AttentionPlan.PartTokens"/> positions; a part starts from nothing and the parts are merged in ascending order,
/// whoever computed them (flash-decoding). So a query's result depends on its position and on what it sees, never on the
/// batch, the chunk, the blocks' numbers or the threads.
/// </summary>
public static unsafe class PagedAttention
{
    /// <summary>Multiply-adds below which a fork and a join cost more than they save.</summary>
    const long SharedWorkMin = 65_536;

    /// <param name="queries">[rows, heads, headDim]</param>
    /// <param name="output">[rows, heads, valueDim]; rows of no sequence are left as they were.</param>
    /// <param name="sequences">The new tokens of each; their keys and values are written already.</param>
    /// <param name="tables">The block tables of all sequences, one after the other.</param>
    public static void Compute(KernelContext context, in AttentionSpec spec, ReadOnlySpan<float> queries, KvPool pool, int layer,
        ReadOnlySpan<KvSpan> sequences, ReadOnlySpan<int> tables, Span<float> output)
    {
        var layout = pool.Layout;
        ArgumentOutOfRangeException.ThrowIfLessThan(spec.Heads, 1, nameof(spec));
        ArgumentOutOfRangeException.ThrowIfNotEqual(spec.Heads % layout.KvHeads, 0, nameof(spec));
        ArgumentOutOfRangeException.ThrowIfNegative(spec.Window, nameof(spec));
        Check.Length(spec.Slopes?.Length ?? spec.Heads, spec.Heads, "slopes");
        ArgumentOutOfRangeException.ThrowIfNotEqual((spec.Biases?.Length ?? spec.Heads) % (2 * spec.Heads), spec.Heads, "biases");
        var rows = Check.Rows(queries.Length, spec.Heads * layout.HeadDim, nameof(queries));
        Check.Length(output.Length, (long)rows * spec.Heads * layout.ValueDim, nameof(output));
        BatchCheck.Sequences(sequences, tables, pool, layer, rows, spec.All);
        var shape = new AttentionShape(spec, layout, layer, context.Kernels);
        var plan = AttentionPlan.Make(context, shape, sequences, out var work);
        fixed (float* q = queries, o = output)
        fixed (int* t = tables)
        {
            var job = new AttentionJob(shape, plan, pool, q, o, t);
            if (work >= SharedWorkMin)
            {
                context.Pool.Run(job, plan.Chunks);
                return;
            }
            for (var chunk = 0; chunk < plan.Chunks; chunk++)
            {
                job.Execute(chunk, 0);
            }
        }
    }
}

/// <summary>The numbers that every part of an attention needs.</summary>
readonly struct AttentionShape(in AttentionSpec spec, in KvLayout layout, int layer, KernelSet kernels)
{
    const int TileRows = 32;

    public readonly AttentionSpec Spec = spec;
    public readonly KvLayout Layout = layout;
    public readonly int Layer = layer;
    public readonly KernelSet Kernels = kernels;

    /// <summary>Query heads that share a KV head: its keys and values are read once for all of them.</summary>
    public int Group => Spec.Heads / Layout.KvHeads;

    /// <summary>Positions of a tile; a tile has positions x group rows.</summary>
    public int TilePositions => Math.Max(1, TileRows / Group);

    public int RowsMax => Padded(TilePositions * Group);

    public int ValueStride => Layout.ValueStride;

    /// <summary>Floats of the running state of that many rows: maximum, sum and weighted values.</summary>
    public int StateFloats(int rows) => Padded(rows) * (ValueStride + 2);

    /// <summary>Floats of a worker's scratch: two states, queries and the scores of a part.</summary>
    public int WorkerFloats => (2 * StateFloats(RowsMax)) + RowsMax * (Layout.HeadDim + AttentionPlan.PartTokens);

    /// <summary>Rows as the kernels take them.</summary>
    public static int Padded(int rows) => rows == 1 ? 1 : rows <= 4 ? 4 : (rows + 7) & ~7;

    /// <summary>Positions of a sequence that have keys.</summary>
    public int Length(in KvSpan span) => Spec.All ? span.Keys : span.End;

    /// <summary>The least position below its own that a query sees, sinks apart.</summary>
    public int LeastSeen(int position) => Spec.Window > 0 ? Math.Max(0, position - Spec.Window + 1) : 0;
}
