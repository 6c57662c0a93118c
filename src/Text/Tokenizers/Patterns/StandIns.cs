using System.Globalization;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// One character of the basic plane for each general category, rare enough that no pattern names it, to stand for all code
/// points beyond the basic plane of that category.
/// </summary>
static class StandIns
{
    /// <summary>Stands for the letters of the planes of ideographs, which are a script of their own.</summary>
    const int IdeographsStart = 0x20000;
    const char Ideograph = '\uFA6D';

    /// <summary>Stands for letters in squares and the like: symbols that count as word characters.</summary>
    const char CircledLetter = '\u24B6';
    static readonly char[] OfCategory = BuildTable();

    /// <summary>Copies the text with one character for each code point; returns how many.</summary>
    internal static int Write(ReadOnlySpan<char> text, Span<char> output)
    {
        var count = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length)
            {
                var codePoint = char.ConvertToUtf32(text[i], text[++i]);
                var category = CharUnicodeInfo.GetUnicodeCategory(codePoint);
                output[count++] = codePoint >= IdeographsStart && category == UnicodeCategory.OtherLetter ? Ideograph
                    : codePoint is >= 0x1F130 and <= 0x1F189 && CharacterKinds.IsWord(new(codePoint)) ? CircledLetter
                    : OfCategory[(int)category];
            }
            else
            {
                output[count++] = text[i];
            }
        }

        return count;
    }

    static char[] BuildTable()
    {
        var table = new char[(int)UnicodeCategory.OtherNotAssigned + 1];
        // Walking down from the top finds presentation forms and rare scripts first; private use is its own stand-in.
        for (var c = '\uFFFE'; c >= '\u0100'; c--)
        {
            var category = (int)CharUnicodeInfo.GetUnicodeCategory(c);
            if (table[category] == 0 && c is not (>= '\uFF00' and <= '\uFFEF'))
            {
                table[category] = c;
            }
        }

        table[(int)UnicodeCategory.Surrogate] = '\uFFFD';
        return table;
    }
}
