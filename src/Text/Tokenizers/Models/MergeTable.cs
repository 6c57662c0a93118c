using System.Numerics;

namespace Hearth.Text.Tokenizers;

/// <summary>From a pair of ids to the rank of its merge and the id that it gives: a hash table with open addressing.</summary>
sealed class MergeTable
{
    const ulong Free = ulong.MaxValue;
    readonly ulong[] _pairs;
    readonly (int Rank, int Id)[] _merges;
    readonly int _shift;

    internal MergeTable(int capacity)
    {
        var slots = BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 2));
        _pairs = new ulong[slots];
        _pairs.AsSpan().Fill(Free);
        _merges = new (int, int)[slots];
        _shift = 64 - BitOperations.Log2(slots);
    }

    /// <summary>A pair that is there already takes the new rank and id.</summary>
    internal void Set(int left, int right, int rank, int id)
    {
        var slot = Slot(Pair(left, right));
        _pairs[slot] = Pair(left, right);
        _merges[slot] = (rank, id);
    }

    internal bool TryGet(int left, int right, out (int Rank, int Id) merge)
    {
        var slot = Slot(Pair(left, right));
        merge = _merges[slot];
        return _pairs[slot] != Free;
    }

    int Slot(ulong pair)
    {
        // Fibonacci hashing; the table is at most half full, so a free slot ends every search.
        var slot = (int)((pair * 0x9E3779B97F4A7C15) >> _shift);
        while (_pairs[slot] != pair && _pairs[slot] != Free)
        {
            slot = (slot + 1) & (_pairs.Length - 1);
        }

        return slot;
    }

    static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
