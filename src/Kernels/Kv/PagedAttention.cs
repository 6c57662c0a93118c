namespace Hearth.Kernels;

/// <summary>What one layer's attention looks like.</summary>
/// <param name="Heads">Query heads, a multiple of the pool's KV heads: head h reads KV head h / (Heads / KvHeads).</param>
/// <param name="Scale">Factor of the products, usually 1 / sqrt(headDim).</param>
/// <param name="Window">A query at i sees keys j with i - Window &lt; j &lt;= i; 0 for all of the past.</param>
/// <param name="SoftCap">Scores become cap * tanh(score / cap); 0 for none.</param>
/// <param name="SinkTokens">The first positions, visible whatever the window.</param>
public readonly record struct AttentionSpec(int Heads, float Scale, int Window = 0, float SoftCap = 0, int SinkTokens = 0);

/// <summary>
/// Causal flash attention over paged blocks, for prefill chunks and decode alike: an online softmax over keys in ascending order,
/// no score matrix. A query's result depends on its position and what it sees, never on the batch, the chunk or the threads.
/// </summary>
public static unsafe class PagedAttention
{
    /// <param name="queries">[rows, heads, headDim]</param>
    /// <param name="output">[rows, heads, headDim]</param>
    /// <param name="sequences">The new tokens of each; their keys and values are written already.</param>
    /// <param name="tables">The block tables of all sequences, one after the other.</param>
    public static void Compute(KernelContext context, in AttentionSpec spec, ReadOnlySpan<float> queries, KvPool pool, int layer,
        ReadOnlySpan<KvSpan> sequences, ReadOnlySpan<int> tables, Span<float> output)
    {
        var layout = pool.Layout;
        Check.Length(output.Length, queries.Length, nameof(output));
        ArgumentOutOfRangeException.ThrowIfNotEqual(spec.Heads % layout.KvHeads, 0, nameof(spec));
        ArgumentOutOfRangeException.ThrowIfLessThan(spec.Heads, 1, nameof(spec));
        var rows = Check.Rows(queries.Length, spec.Heads * layout.HeadDim, nameof(queries));
        BatchCheck.Sequences(sequences, tables, pool, layer, rows);
        foreach (var s in sequences)
        {
            for (var i = 0; i < s.Rows; i++)
            {
                for (var head = 0; head < spec.Heads; head++)
                {
                    var at = ((s.FirstRow + i) * spec.Heads + head) * layout.HeadDim;
                    One(context.Kernels, spec, queries.Slice(at, layout.HeadDim), pool, layer,
                        head / (spec.Heads / layout.KvHeads), s.Start + i, tables[s.TableOffset..], output.Slice(at, layout.HeadDim));
                }
            }
        }
    }

    static void One(KernelSet kernels, in AttentionSpec spec, ReadOnlySpan<float> q, KvPool pool, int layer, int head, int position,
        ReadOnlySpan<int> table, Span<float> output)
    {
        var (layout, max, sum) = (pool.Layout, float.NegativeInfinity, 0f);
        Span<float> v = stackalloc float[layout.HeadDim];
        output.Clear();
        for (var j = 0; j <= position; j++)
        {
            if (spec.Window > 0 && j <= position - spec.Window && j >= spec.SinkTokens)
            {
                continue;
            }
            var block = table[j / KvLayout.BlockTokens];
            BatchCheck.Block(block, pool);
            var score = Score(kernels, q, pool, block, layer, head, j % KvLayout.BlockTokens) * spec.Scale;
            score = spec.SoftCap > 0 ? spec.SoftCap * MathF.Tanh(score / spec.SoftCap) : score;
            var top = MathF.Max(max, score);
            var (keep, weight) = (MathF.Exp(max - top), MathF.Exp(score - top));
            (max, sum) = (top, sum * keep + weight);
            var values = pool.Address + layout.ValueOffset(block, layer, head)
                + (nint)(j % KvLayout.BlockTokens) * layout.ValueStride * layout.Type.Size();
            fixed (float* pv = v)
            {
                kernels.Widen(layout.Type, values, pv, layout.HeadDim);
            }
            for (var d = 0; d < v.Length; d++)
            {
                output[d] = output[d] * keep + weight * v[d];
            }
        }
        for (var d = 0; d < v.Length; d++)
        {
            output[d] /= sum;
        }
    }

    static float Score(KernelSet kernels, ReadOnlySpan<float> q, KvPool pool, int block, int layer, int head, int slot)
    {
        var layout = pool.Layout;
        var keys = pool.Address + layout.KeyOffset(block, layer, head);
        var (sum, k) = (0f, 0f);
        for (var d = 0; d < q.Length; d++)
        {
            kernels.Widen(layout.Type, keys + ((nint)d * KvLayout.BlockTokens + slot) * layout.Type.Size(), &k, 1);
            sum += q[d] * k;
        }
        return sum;
    }
}
