namespace Hearth.Text.Tokenizers;

/// <summary>GPT-2's pattern by hand, in one pass. Every code point belongs to a match.</summary>
sealed class Gpt2Matcher : Matcher
{
    internal const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    internal override void Find(ReadOnlySpan<char> text, List<Cut> matches)
    {
        for (var start = 0; start < text.Length;)
        {
            var end = start + MatchLength(text[start..]);
            matches.Add(new(start, end));
            start = end;
        }
    }

    static int MatchLength(ReadOnlySpan<char> text)
    {
        if (text[0] == '\'' && ContractionLength(text) is > 0 and var contraction)
        {
            return contraction;
        }

        var prefix = text[0] == ' ' && text.Length > 1 && CharacterKinds.At(text, 1, out _) != CharacterKind.Space ? 1 : 0;
        var kind = CharacterKinds.At(text, prefix, out _);
        var end = CharacterKinds.EndOfRun(text, prefix, kind);

        // \s+(?!\S): the last of several spaces before a word goes to what follows.
        return kind == CharacterKind.Space && end < text.Length && end > 1 ? end - 1 : end;
    }

    static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text.Length > 2 && text[1..3] is "re" or "ve" or "ll")
        {
            return 3;
        }

        return text.Length > 1 && text[1] is 's' or 't' or 'm' or 'd' ? 2 : 0;
    }
}
