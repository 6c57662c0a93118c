using System.Buffers;
using System.Globalization;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>What the well-known splitting patterns tell apart: <c>\p{L}</c>, <c>\p{N}</c>, <c>\s</c> and the rest.</summary>
enum CharacterKind : byte
{
    Letter,
    Number,
    Space,
    Other,
}

static class CharacterKinds
{
    static readonly CharacterKind[] OfAscii = [.. Enumerable.Range(0, 128).Select(c => Of(new Rune(c)))];

    /// <param name="length">How many UTF-16 units the code point has.</param>
    internal static CharacterKind At(ReadOnlySpan<char> text, int index, out int length)
    {
        var c = text[index];
        length = 1;
        if (c < OfAscii.Length)
        {
            return OfAscii[c];
        }

        var status = Rune.DecodeFromUtf16(text[index..], out var rune, out length);
        return status == OperationStatus.Done ? Of(rune) : CharacterKind.Other;
    }

    /// <summary>The end of the run of one kind from <paramref name="start"/> on.</summary>
    internal static int EndOfRun(ReadOnlySpan<char> text, int start, CharacterKind kind)
    {
        while (start < text.Length && At(text, start, out var length) == kind)
        {
            start += length;
        }

        return start;
    }

    static CharacterKind Of(Rune rune) => Rune.IsWhiteSpace(rune) ? CharacterKind.Space
        : Rune.IsLetter(rune) ? CharacterKind.Letter
        : Rune.IsNumber(rune) ? CharacterKind.Number
        : CharacterKind.Other;

    /// <summary>Unicode's word characters (UTS #18, annex C).</summary>
    internal static bool IsWord(Rune rune) => Rune.IsLetter(rune) || Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
        or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation
        || rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    /// <summary>What BERT splits off: punctuation, and all ASCII that is neither letter, digit, space nor control.</summary>
    internal static bool IsPunctuation(Rune rune) => rune.IsAscii
        ? rune.Value > ' ' && rune.Value < 0x7F && !char.IsAsciiLetterOrDigit((char)rune.Value)
        : Rune.IsPunctuation(rune) && !OlderUnicode.NewPunctuation.Contains(rune.Value);
}
