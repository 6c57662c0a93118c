namespace Hearth.Kernels;

/// <summary>Stores the keys and values of new tokens in their blocks, in the pool's type.</summary>
public static unsafe class KvWrite
{
    /// <param name="keys">[rows, kvHeads, headDim], rotary embedding already applied.</param>
    /// <param name="values">[rows, kvHeads, headDim]</param>
    /// <param name="tables">The block tables of all sequences, one after the other.</param>
    public static void Compute(KernelContext context, KvPool pool, int layer, ReadOnlySpan<float> keys, ReadOnlySpan<float> values,
        ReadOnlySpan<KvSpan> sequences, ReadOnlySpan<int> tables)
    {
        var layout = pool.Layout;
        Check.Length(values.Length, keys.Length, nameof(values));
        BatchCheck.Sequences(sequences, tables, pool, layer, Check.Rows(keys.Length, layout.KvHeads * layout.HeadDim, nameof(keys)));
        fixed (float* pk = keys, pv = values)
        fixed (int* pt = tables)
        {
            foreach (var sequence in sequences)
            {
                for (var i = 0; i < sequence.Rows; i++)
                {
                    var position = sequence.Start + i;
                    var block = pt[sequence.TableOffset + position / KvLayout.BlockTokens];
                    BatchCheck.Block(block, pool);
                    for (var head = 0; head < layout.KvHeads; head++)
                    {
                        var from = ((nint)(sequence.FirstRow + i) * layout.KvHeads + head) * layout.HeadDim;
                        Store(context.Kernels, pool, block, layer, head, position % KvLayout.BlockTokens, pk + from, pv + from);
                    }
                }
            }
        }
    }

    static void Store(KernelSet kernels, KvPool pool, int block, int layer, int head, int slot, float* key, float* value)
    {
        var layout = pool.Layout;
        var size = layout.Type.Size();
        var keys = pool.Address + layout.KeyOffset(block, layer, head);
        for (var d = 0; d < layout.HeadDim; d++)
        {
            kernels.Narrow(layout.Type, key + d, keys + ((nint)d * KvLayout.BlockTokens + slot) * size, 1);
        }
        var values = pool.Address + layout.ValueOffset(block, layer, head);
        kernels.Narrow(layout.Type, value, values + (nint)slot * layout.ValueStride * size, layout.HeadDim);
    }
}

static class BatchCheck
{
    public static void Sequences(ReadOnlySpan<KvSpan> sequences, ReadOnlySpan<int> tables, KvPool pool, int layer, int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, pool.Layout.Layers);
        foreach (ref readonly var s in sequences)
        {
            var blocks = ((long)s.Start + s.Rows + KvLayout.BlockTokens - 1) / KvLayout.BlockTokens;
            if (s.FirstRow < 0 || s.Rows < 0 || s.Start < 0 || s.TableOffset < 0 || (long)s.FirstRow + s.Rows > rows
                || s.TableOffset + blocks > tables.Length)
            {
                throw new ArgumentException($"{s} does not fit {rows} rows and {tables.Length} table entries", nameof(sequences));
            }
        }
    }

    public static void Block(int block, KvPool pool)
    {
        if ((uint)block >= (uint)pool.Blocks)
        {
            throw new ArgumentException($"a block table names block {block}, the pool has {pool.Blocks}");
        }
    }
}
