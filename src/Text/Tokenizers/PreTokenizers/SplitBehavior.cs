namespace Hearth.Text.Tokenizers;

/// <summary>What becomes of the matches of a splitting pattern; names and meanings as in tokenizer.json.</summary>
enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

static class Splitting
{
    internal static SplitBehavior Read(JsonField field) => field.Text() switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        var other => throw field.Error($"'{other}' is not a known split behavior"),
    };

    /// <summary>Adds to <paramref name="output"/> the pieces that <paramref name="piece"/> falls into.</summary>
    /// <param name="matches">The pattern's matches relative to the piece, in order.</param>
    internal static void Apply(Cut piece, List<Cut> matches, SplitBehavior behavior, bool invert, List<Cut> output)
    {
        var position = piece.Start;
        var joined = new Joined(output, output.Count);
        foreach (var match in matches)
        {
            joined.Add(new(position, piece.Start + match.Start), invert, behavior);
            joined.Add(new(piece.Start + match.Start, piece.Start + match.End), !invert, behavior);
            position = piece.Start + match.End;
        }

        joined.Add(new(position, piece.End), invert, behavior);
    }

    struct Joined(List<Cut> output, int firstOfPiece)
    {
        bool _previousIsMatch;
        bool _any;

        internal void Add(Cut part, bool isMatch, SplitBehavior behavior)
        {
            if (part.Length == 0)
            {
                return;
            }

            var joins = _any && output.Count > firstOfPiece && behavior switch
            {
                SplitBehavior.Contiguous => isMatch == _previousIsMatch,
                SplitBehavior.MergedWithPrevious => isMatch && !_previousIsMatch,
                SplitBehavior.MergedWithNext => !isMatch && _previousIsMatch,
                _ => false,
            };
            if (joins)
            {
                output[^1] = new(output[^1].Start, part.End);
            }
            else if (!isMatch || behavior != SplitBehavior.Removed)
            {
                output.Add(part);
            }

            _previousIsMatch = isMatch;
            _any = true;
        }
    }
}
