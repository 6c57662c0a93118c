namespace Hearth.Text.Tokenizers;

/// <summary>
/// The pattern of Llama 3 and, with single digits, of Qwen 2 by hand, in one pass. Every code point belongs to a match.
/// </summary>
sealed class Llama3Matcher(int digitsMax) : Matcher
{
    const string Start = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|";
    const string End = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    internal const string Pattern = Start + @"\p{N}{1,3}" + End;
    internal const string PatternOfQwen2 = Start + @"\p{N}" + End;

    internal override void Find(ReadOnlySpan<char> text, List<Cut> matches)
    {
        for (var start = 0; start < text.Length;)
        {
            var end = start + MatchLength(text[start..]);
            matches.Add(new(start, end));
            start = end;
        }
    }

    int MatchLength(ReadOnlySpan<char> text)
    {
        var kind = CharacterKinds.At(text, 0, out var first);
        if (kind == CharacterKind.Letter)
        {
            return CharacterKinds.EndOfRun(text, first, CharacterKind.Letter);
        }

        if (kind == CharacterKind.Number)
        {
            return NumberLength(text, first);
        }

        if (text[0] == '\'' && ContractionLength(text) is > 0 and var contraction)
        {
            return contraction;
        }

        var next = first < text.Length ? CharacterKinds.At(text, first, out _) : CharacterKind.Space;
        if (next == CharacterKind.Letter && text[0] is not ('\r' or '\n'))
        {
            return CharacterKinds.EndOfRun(text, first, CharacterKind.Letter);
        }

        if (kind == CharacterKind.Other || (text[0] == ' ' && next == CharacterKind.Other))
        {
            return NewlinesEnd(text, CharacterKinds.EndOfRun(text, first, CharacterKind.Other));
        }

        return SpaceLength(text, CharacterKinds.EndOfRun(text, 0, CharacterKind.Space));
    }

    int NumberLength(ReadOnlySpan<char> text, int end)
    {
        for (var digits = 1; digits < digitsMax && end < text.Length; digits++)
        {
            if (CharacterKinds.At(text, end, out var length) != CharacterKind.Number)
            {
                break;
            }

            end += length;
        }

        return end;
    }

    static int NewlinesEnd(ReadOnlySpan<char> text, int end)
    {
        while (end < text.Length && text[end] is '\r' or '\n')
        {
            end++;
        }

        return end;
    }

    /// <summary>White space goes up to its last line break; without one, its last space goes to the word that follows.</summary>
    static int SpaceLength(ReadOnlySpan<char> text, int end)
    {
        var lines = text[..end].LastIndexOfAny('\r', '\n');
        return lines >= 0 ? lines + 1 : end < text.Length && end > 1 ? end - 1 : end;
    }

    static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text.Length > 1 && text[1] is 's' or 'S' or 'ſ' or 't' or 'T' or 'm' or 'M' or 'd' or 'D')
        {
            return 2;
        }

        return text.Length > 2 && (text[1] | 0x20, text[2] | 0x20) is ('r' or 'v', 'e') or ('l', 'l') ? 3 : 0;
    }
}
