namespace Hearth.Text.Tokenizers;

/// <summary>
/// Remembers the ids of pieces seen lately. A slot holds one piece and a newer one replaces it: bounded, without locks, and
/// no text can fill it for good.
/// </summary>
sealed class PieceCache
{
    sealed record Entry(string Piece, int[] Ids);

    readonly Entry?[] _slots = new Entry?[Limits.Tokenizer.CacheSlots];

    internal bool TryGet(ReadOnlySpan<char> piece, List<int> ids)
    {
        var entry = Volatile.Read(ref _slots[Slot(piece)]);
        if (entry is null || !piece.SequenceEqual(entry.Piece))
        {
            return false;
        }

        ids.AddRange(entry.Ids.AsSpan());
        return true;
    }

    internal void Set(ReadOnlySpan<char> piece, ReadOnlySpan<int> ids)
        => Volatile.Write(ref _slots[Slot(piece)], new(piece.ToString(), ids.ToArray()));

    static int Slot(ReadOnlySpan<char> piece) => string.GetHashCode(piece) & (Limits.Tokenizer.CacheSlots - 1);
}
