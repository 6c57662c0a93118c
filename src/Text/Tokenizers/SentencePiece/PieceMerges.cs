namespace Hearth.Text.Tokenizers;

/// <summary>
/// The merges that a list of scored pieces stands for: every way to cut a piece into two others, best score first. The order
/// among equal scores is that of transformers' converters.
/// </summary>
static class PieceMerges
{
    readonly record struct Merge(int Left, int Right, float Score, int LeftLength, int RightLength);

    /// <param name="file">The file to name in an error.</param>
    internal static List<(string Left, string Right)> Of(string file, List<ScoredPiece> pieces)
    {
        var idOf = new Dictionary<string, int>();
        for (var id = 0; id < pieces.Count; id++)
        {
            idOf[pieces[id].Text] = id;
        }

        var merges = new List<Merge>();
        foreach (var piece in pieces)
        {
            merges.AddRange(HalvesOf(piece, idOf).OrderBy(merge => merge.Left).ThenBy(merge => merge.Right));
            if (merges.Count > Limits.Tokenizer.MergesMax)
            {
                throw new TokenizerException(
                    file, "pieces", $"stand for more than {Limits.Tokenizer.MergesMax} merges, which is not supported");
            }
        }

        return [.. merges.OrderByDescending(merge => merge.Score)
            .ThenByDescending(merge => merge.LeftLength).ThenByDescending(merge => merge.RightLength)
            .Select(merge => (pieces[merge.Left].Text, pieces[merge.Right].Text))];
    }

    static List<Merge> HalvesOf(ScoredPiece piece, Dictionary<string, int> idOf)
    {
        var token = piece.Text;
        var halves = new List<Merge>();
        var lookup = idOf.GetAlternateLookup<ReadOnlySpan<char>>();
        var characters = token.EnumerateRunes().Count();
        var left = 0;
        var at = 0;
        foreach (var rune in token.EnumerateRunes())
        {
            if (left > 0 && lookup.TryGetValue(token.AsSpan(0, at), out var first)
                && lookup.TryGetValue(token.AsSpan(at), out var second))
            {
                halves.Add(new(first, second, piece.Score, left, characters - left));
            }

            left++;
            at += rune.Utf16SequenceLength;
        }

        return halves;
    }
}
