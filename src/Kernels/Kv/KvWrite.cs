using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>Stores the keys and values of new tokens in their blocks, in the pool's type.</summary>
public static unsafe class KvWrite
{
    /// <param name="keys">[rows, kvHeads, headDim], rotary embedding already applied.</param>
    /// <param name="values">[rows, kvHeads, valueDim]</param>
    /// <param name="tables">The block tables of all sequences, one after the other.</param>
    public static void Compute(KernelContext context, KvPool pool, int layer, ReadOnlySpan<float> keys,
        ReadOnlySpan<float> values, ReadOnlySpan<KvSpan> sequences, ReadOnlySpan<int> tables)
    {
        var layout = pool.Layout;
        var rows = Check.Rows(keys.Length, layout.KvHeads * layout.HeadDim, nameof(keys));
        Check.Length(values.Length, (long)rows * layout.KvHeads * layout.ValueDim, nameof(values));
        BatchCheck.Sequences(sequences, tables, pool, layer, rows);
        fixed (float* pk = keys, pv = values)
        fixed (int* pt = tables)
        {
            foreach (var sequence in sequences)
            {
                var job = new Job(context.Kernels, pool, layer, pk, pv, sequence, pt + sequence.TableOffset);
                RowRuns.Run(context, new RowJob<Job>(job, sequence.Rows, KvLayout.BlockTokens),
                    (long)sequence.Rows * layout.KvHeads * layout.HeadDim);
            }
        }
    }

    readonly struct Job(KernelSet kernels, KvPool pool, int layer, float* keys, float* values, KvSpan sequence, int* table)
        : IRowJob
    {
        public void Execute(int from, int to)
        {
            var layout = pool.Layout;
            for (var i = from; i < to; i++)
            {
                var (entry, slot) = Math.DivRem(sequence.Start + i, KvLayout.BlockTokens);
                BatchCheck.Block(table[entry], pool);
                for (var head = 0; head < layout.KvHeads; head++)
                {
                    var at = (nint)(sequence.FirstRow + i) * layout.KvHeads + head;
                    var target = pool.Address + layout.KeyOffset(table[entry], layer, head);
                    StoreKey(layout, target, slot, keys + at * layout.HeadDim);
                    kernels.Narrow(layout.Type, values + at * layout.ValueDim,
                        target + layout.KeyBytesPerHead + (nint)slot * layout.ValueStride * layout.Type.Size(), layout.ValueDim);
                }
            }
        }

        /// <summary>One column of the keys that lie across.</summary>
        [SkipLocalsInit]
        void StoreKey(in KvLayout layout, byte* target, int slot, float* key)
        {
            var narrow = stackalloc float[Limits.HeadDimMax];
            kernels.Narrow(layout.Type, key, (byte*)narrow, layout.HeadDim);
            if (layout.Type == DType.F32)
            {
                Scatter(narrow, (float*)target + slot, layout.HeadDim);
            }
            else
            {
                Scatter((ushort*)narrow, (ushort*)target + slot, layout.HeadDim);
            }
        }

        static void Scatter<T>(T* source, T* target, int count) where T : unmanaged
        {
            for (var d = 0; d < count; d++)
            {
                target[d * KvLayout.BlockTokens] = source[d];
            }
        }
    }
}

static class BatchCheck
{
    /// <param name="all">A sequence's keys are counted by Keys.</param>
    public static void Sequences(ReadOnlySpan<KvSpan> sequences, ReadOnlySpan<int> tables, KvPool pool, int layer, int rows,
        bool all = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, pool.Layout.Layers);
        foreach (ref readonly var s in sequences)
        {
            var keys = all ? s.Keys : (long)s.Start + s.Rows;
            var blocks = (keys + KvLayout.BlockTokens - 1) / KvLayout.BlockTokens;
            var isSound = s.FirstRow >= 0 && s.Rows >= 0 && s.Start >= 0 && s.TableOffset >= 0 && (!all || keys >= 1);
            if (!isSound || (long)s.FirstRow + s.Rows > rows || s.TableOffset + blocks > tables.Length)
            {
                throw new ArgumentException($"{s} does not fit {rows} rows and {tables.Length} table entries",
                    nameof(sequences));
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
