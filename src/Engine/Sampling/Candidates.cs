using System.Numerics;
using System.Numerics.Tensors;

namespace Hearth.Engine.Sampling;

/// <summary>Picks the best of a row of scores without sorting the row. Reused for every row without allocating.
/// A candidate is a score and an id in one sortable number, so equal scores have one order: the lower id goes first
/// (the reference leaves it to an unstable sort).</summary>
sealed class Candidates(int vocabulary)
{
    /// <summary>Above this a heap of the k best costs more than sorting a copy.</summary>
    const int HeapMax = 1024;

    const int BlockLength = 512;

    readonly ulong[] _keys = new ulong[vocabulary];
    readonly float[] _work = new float[vocabulary];

    public int Count { get; private set; }

    /// <summary>Best first, once sorted.</summary>
    public int Id(int index) => (int)~(uint)_keys[index];

    public float Score(int index) => FromSortable((uint)(_keys[index] >> 32));

    /// <summary>Keeps the scores that reach a threshold; -inf never does.</summary>
    public void Gather(ReadOnlySpan<float> scores, float threshold)
    {
        threshold = Math.Max(threshold, float.MinValue);
        Count = 0;
        var limit = new Vector<float>(threshold);
        var i = 0;
        for (; i <= scores.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            if (Vector.GreaterThanOrEqualAny(new Vector<float>(scores[i..]), limit))
            {
                GatherOneByOne(scores, i, i + Vector<float>.Count, threshold);
            }
        }

        GatherOneByOne(scores, i, scores.Length, threshold);
    }

    /// <summary>Drops the candidates below a threshold.</summary>
    public void Keep(float threshold)
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (Score(i) >= threshold)
            {
                _keys[kept++] = _keys[i];
            }
        }

        Count = kept;
    }

    public void Cut(int count) => Count = Math.Min(Count, count);

    /// <summary>Best first.</summary>
    public void Sort()
    {
        var keys = _keys.AsSpan(0, Count);
        keys.Sort();
        keys.Reverse();
    }

    /// <returns>The k-th largest score.</returns>
    public float KthLargest(ReadOnlySpan<float> scores, int k)
    {
        if (k >= scores.Length)
        {
            return float.NegativeInfinity;
        }

        return k <= HeapMax ? KthByHeap(scores, k) : KthBySort(scores, k);
    }

    /// <summary>exp(score - max) of every score, and their sum: block sums in single, the rest in double precision.</summary>
    public double Exponentials(ReadOnlySpan<float> scores, float max)
    {
        var sum = 0.0;
        for (var start = 0; start < scores.Length; start += BlockLength)
        {
            // Block by block, so that all three passes find it in the first cache.
            var length = Math.Min(BlockLength, scores.Length - start);
            var work = _work.AsSpan(start, length);
            TensorPrimitives.Subtract(scores.Slice(start, length), max, work);
            TensorPrimitives.Exp(work, work);
            sum += TensorPrimitives.Sum(work);
        }

        return sum;
    }

    /// <summary>The first index at which the running sum of <see cref="Exponentials"/> exceeds a target.</summary>
    public int FindMass(int length, double target)
    {
        var (sum, last) = (0.0, 0);
        for (var start = 0; start < length; start += BlockLength)
        {
            var block = _work.AsSpan(start, Math.Min(BlockLength, length - start));
            var mass = TensorPrimitives.Sum(block);
            if (mass > 0)
            {
                if (sum + mass > target && Scan(block, target - sum) is >= 0 and var found)
                {
                    return start + found;
                }

                last = start + block.LastIndexOfAnyExcept(0f);
            }

            sum += mass;
        }

        return last;
    }

    static int Scan(ReadOnlySpan<float> block, double target)
    {
        var sum = 0.0;
        for (var i = 0; i < block.Length; i++)
        {
            sum += block[i];
            if (sum > target)
            {
                return i;
            }
        }

        return -1;
    }

    void GatherOneByOne(ReadOnlySpan<float> scores, int from, int to, float threshold)
    {
        for (var i = from; i < to; i++)
        {
            if (scores[i] >= threshold)
            {
                _keys[Count++] = ((ulong)Sortable(scores[i]) << 32) | ~(uint)i;
            }
        }
    }

    /// <summary>A heap of the k largest with the smallest of them on top: most vectors hold nothing above it.</summary>
    float KthByHeap(ReadOnlySpan<float> scores, int k)
    {
        var heap = _work.AsSpan(0, k);
        scores[..k].CopyTo(heap);
        heap.Sort();
        var i = k;
        for (; i <= scores.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            if (Vector.GreaterThanAny(new Vector<float>(scores[i..]), new Vector<float>(heap[0])))
            {
                Push(heap, scores.Slice(i, Vector<float>.Count));
            }
        }

        Push(heap, scores[i..]);
        return heap[0];
    }

    static void Push(Span<float> heap, ReadOnlySpan<float> scores)
    {
        foreach (var score in scores)
        {
            if (score > heap[0])
            {
                Sink(heap, score);
            }
        }
    }

    static void Sink(Span<float> heap, float score)
    {
        var at = 0;
        for (var child = 1; child < heap.Length; child = (2 * at) + 1)
        {
            if (child + 1 < heap.Length && heap[child + 1] < heap[child])
            {
                child++;
            }

            if (score <= heap[child])
            {
                break;
            }

            heap[at] = heap[child];
            at = child;
        }

        heap[at] = score;
    }

    float KthBySort(ReadOnlySpan<float> scores, int k)
    {
        var work = _work.AsSpan(0, scores.Length);
        scores.CopyTo(work);
        work.Sort();
        return work[^k];
    }

    static uint Sortable(float score)
    {
        // + 0f turns -0 into +0: they are equal scores.
        var bits = BitConverter.SingleToUInt32Bits(score + 0f);
        return (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
    }

    static float FromSortable(uint bits) =>
        BitConverter.UInt32BitsToSingle((bits & 0x80000000) != 0 ? bits & 0x7FFFFFFF : ~bits);
}
