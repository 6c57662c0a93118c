using System.Globalization;
using System.Text;

namespace Hearth.Text.Templates;

/// <summary>Python's escapes inside string literals; an unknown one stays as it is.</summary>
static class StringEscapes
{
    /// <summary>The text that a literal stands for; null when an escape is broken or makes a lone surrogate.</summary>
    public static string? Decode(string literal)
    {
        if (!literal.Contains('\\'))
            return literal;
        var result = new StringBuilder(literal.Length);
        for (var i = 0; i < literal.Length;)
        {
            if (literal[i] != '\\')
            {
                result.Append(literal[i++]);
                continue;
            }
            var length = Decode(literal, i + 1, result);
            if (length == 0)
                return null;
            i += 1 + length;
        }
        return result.ToString();
    }

    /// <summary>Decodes what follows a backslash; gives how many characters it took, 0 when they make no sense.</summary>
    static int Decode(string literal, int at, StringBuilder result)
    {
        var c = literal[at];
        switch (c)
        {
            case 'x':
                return Hex(literal, at, 2, result);
            case 'u':
                return Hex(literal, at, 4, result);
            case 'U':
                return Hex(literal, at, 8, result);
            case 'N':
                return 0;
            case >= '0' and <= '7':
                return Octal(literal, at, result);
            default:
                var simple = "n\nt\tr\rb\bf\fv\va\a\\\\''\"\"".AsSpan();
                for (var i = 0; i < simple.Length; i += 2)
                {
                    if (simple[i] == c)
                    {
                        result.Append(simple[i + 1]);
                        return 1;
                    }
                }
                if (c != '\n')
                    result.Append('\\').Append(c);
                return 1;
        }
    }

    static int Hex(string literal, int at, int digits, StringBuilder result)
    {
        if (at + 1 + digits > literal.Length || !int.TryParse(
            literal.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var codePoint))
        {
            return 0;
        }
        if (!Rune.IsValid(codePoint))
            return 0;
        result.Append(new Rune(codePoint).ToString());
        return 1 + digits;
    }

    static int Octal(string literal, int at, StringBuilder result)
    {
        int length = 0, value = 0;
        for (; length < 3 && at + length < literal.Length && literal[at + length] is >= '0' and <= '7'; length++)
            value = (value * 8) + (literal[at + length] - '0');
        result.Append((char)value);
        return length;
    }
}
