using System.Buffers;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// GPT-2's pattern by hand, in one pass:
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>. Every code point belongs to a match.
/// </summary>
sealed class Gpt2Matcher : Matcher
{
    enum Kind : byte { Letter, Number, Space, Other }

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

        var prefix = text[0] == ' ' && text.Length > 1 && KindAt(text, 1, out _) != Kind.Space ? 1 : 0;
        var kind = KindAt(text, prefix, out var last);
        var end = prefix + last;
        while (end < text.Length && KindAt(text, end, out var length) == kind)
        {
            end += length;
            last = length;
        }

        // \s+(?!\S): the last of several spaces before a word goes to what follows.
        return kind == Kind.Space && end < text.Length && end > last ? end - last : end;
    }

    static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text.Length > 2 && text[1..3] is "re" or "ve" or "ll")
        {
            return 3;
        }

        return text.Length > 1 && text[1] is 's' or 't' or 'm' or 'd' ? 2 : 0;
    }

    static Kind KindAt(ReadOnlySpan<char> text, int index, out int length)
    {
        var c = text[index];
        length = 1;
        if (char.IsAscii(c))
        {
            return char.IsAsciiLetter(c) ? Kind.Letter : char.IsAsciiDigit(c) ? Kind.Number
                : char.IsWhiteSpace(c) ? Kind.Space : Kind.Other;
        }

        if (Rune.DecodeFromUtf16(text[index..], out var rune, out length) != OperationStatus.Done)
        {
            return Kind.Other;
        }

        return Rune.IsWhiteSpace(rune) ? Kind.Space : Rune.IsLetter(rune) ? Kind.Letter
            : Rune.IsNumber(rune) ? Kind.Number : Kind.Other;
    }
}
