using System.Buffers;
using System.Globalization;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// BERT's cleaning: no control characters, plain spaces, room around ideographs, and on request no accents and no capitals.
/// </summary>
sealed class BertNormalizer(JsonField field) : Normalizer
{
    static readonly SearchValues<char> CleanAscii = SearchValues.Create([.. Enumerable.Range(' ', 95).Select(c => (char)c)]);
    readonly bool _cleans = field["clean_text"].Flag(whenAbsent: true);
    readonly bool _spacesIdeographs = field["handle_chinese_chars"].Flag(whenAbsent: true);
    readonly bool _lowers = field["lowercase"].Flag(whenAbsent: true);
    readonly bool _stripsAccents = field["strip_accents"].Flag(whenAbsent: field["lowercase"].Flag(whenAbsent: true));

    internal override string Apply(string text)
    {
        if (text.AsSpan().IndexOfAnyExcept(CleanAscii) >= 0)
        {
            text = Rewrite(text);
            text = _stripsAccents ? Runes.Without(UnicodeForms.Normalize(text, UnicodeForm.Nfd), IsAccent) : text;
        }

        return _lowers ? LowerCase(text) : text;
    }

    string Rewrite(string text)
    {
        var output = new StringBuilder(text.Length + 16);
        foreach (var rune in text.EnumerateRunes())
        {
            if (_cleans && IsRemoved(rune))
            {
                continue;
            }

            if (_cleans && Rune.IsWhiteSpace(rune))
            {
                output.Append(' ');
            }
            else if (_spacesIdeographs && IsIdeograph(rune.Value))
            {
                output.Append(' ').Append(rune).Append(' ');
            }
            else
            {
                output.Append(rune);
            }
        }

        return output.ToString();
    }

    static bool IsRemoved(Rune rune) => rune.Value is 0 or 0xFFFD
        || (rune.Value is not ('\t' or '\n' or '\r') && Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse
            && !OlderUnicode.NewToBert.Contains(rune.Value));

    static bool IsAccent(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.NonSpacingMark
        && !OlderUnicode.NewToBert.Contains(rune.Value);

    /// <summary>The ranges of the reference, which leaves U+2B820 to U+2B91F out.</summary>
    static bool IsIdeograph(int value) => value
        is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0xF900 and <= 0xFAFF)
        or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F)
        or (>= 0x2B920 and <= 0x2CEAF) or (>= 0x2F800 and <= 0x2FA1F);
}
