namespace Hearth.Text.Tokenizers;

/// <summary>
/// Byte-pair merging of one piece: always the merge of lowest rank, of equal ones the leftmost (Sennrich et al. 2016). A linked
/// list and a heap make it O(n log n).
/// </summary>
sealed class BpeMerger(MergeTable merges)
{
    struct Symbol
    {
        internal int Id;
        internal int Previous;
        internal int Next;
    }

    const int Merged = -1;
    readonly PriorityQueue<int, long> _queue = new();
    Symbol[] _symbols = new Symbol[256];
    int _count;

    internal void Clear() => _count = 0;

    internal void Add(int id)
    {
        if (_count == _symbols.Length)
        {
            Array.Resize(ref _symbols, _count * 2);
        }

        _symbols[_count] = new() { Id = id, Previous = _count - 1, Next = _count + 1 };
        _count++;
    }

    /// <summary>Merges the symbols added since <see cref="Clear"/> and appends what is left.</summary>
    internal void Run(List<int> ids)
    {
        for (var i = 0; i + 1 < _count; i++)
        {
            Offer(i);
        }

        while (_queue.TryDequeue(out var mergedId, out var key))
        {
            var position = (int)(key & int.MaxValue);
            if (Pair(position, out var merge) && merge.Id == mergedId)
            {
                Merge(position, mergedId);
            }
        }

        for (var i = 0; i < _count; i = _symbols[i].Next)
        {
            ids.Add(_symbols[i].Id);
        }
    }

    void Merge(int position, int mergedId)
    {
        ref var left = ref _symbols[position];
        ref var right = ref _symbols[left.Next];
        right.Id = Merged;
        left.Id = mergedId;
        left.Next = right.Next;
        if (left.Next < _count)
        {
            _symbols[left.Next].Previous = position;
        }

        if (left.Previous >= 0)
        {
            Offer(left.Previous);
        }

        Offer(position);
    }

    void Offer(int position)
    {
        if (Pair(position, out var merge))
        {
            _queue.Enqueue(merge.Id, ((long)merge.Rank << 31) | (uint)position);
        }
    }

    bool Pair(int position, out (int Rank, int Id) merge)
    {
        merge = default;
        ref var left = ref _symbols[position];
        return left.Id != Merged && left.Next < _count && merges.TryGet(left.Id, _symbols[left.Next].Id, out merge);
    }
}
