using System.Buffers;
using System.Text.RegularExpressions;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// Finds a regular expression of a tokenizer file. The file's expressions speak of code points, .NET's of UTF-16 units: text
/// beyond the basic plane is matched on a copy in which each such code point is one unit of the same general category.
/// A match that takes too long ends in an error; expressions that do so on plain text are refused when the file is loaded.
/// </summary>
sealed class RegexMatcher : Matcher
{
    readonly JsonField _field;
    readonly Regex _regex;

    internal RegexMatcher(JsonField field)
    {
        _field = field;
        _regex = Compile(field, PatternTranslator.Translate(field));
        ProbeForBlowup();
    }

    internal override void Find(ReadOnlySpan<char> text, List<Cut> matches)
    {
        try
        {
            if (text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
            {
                foreach (var match in _regex.EnumerateMatches(text))
                {
                    matches.Add(new(match.Index, match.Index + match.Length));
                }
            }
            else
            {
                FindBeyondBasicPlane(text, matches);
            }
        }
        catch (RegexMatchTimeoutException e)
        {
            throw _field.Error("takes too long on this text", e);
        }
    }

    void FindBeyondBasicPlane(ReadOnlySpan<char> text, List<Cut> matches)
    {
        var standIns = ArrayPool<char>.Shared.Rent(text.Length);
        var count = StandIns.Write(text, standIns);
        int unit = 0, index = 0;
        foreach (var match in _regex.EnumerateMatches(standIns.AsSpan(0, count)))
        {
            var start = Advance(text, match.Index, ref unit, ref index);
            matches.Add(new(start, Advance(text, match.Index + match.Length, ref unit, ref index)));
        }

        ArrayPool<char>.Shared.Return(standIns);
    }

    static int Advance(ReadOnlySpan<char> text, int toUnit, ref int unit, ref int index)
    {
        for (; unit < toUnit; unit++)
        {
            index += char.IsHighSurrogate(text[index]) ? 2 : 1;
        }

        return index;
    }

    static Regex Compile(JsonField field, string pattern)
    {
        try
        {
            return new(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled, Limits.Tokenizer.MatchTimeout);
        }
        catch (ArgumentException e)
        {
            throw field.Error($"is not a regular expression that can be used: {e.Message}", e);
        }
    }

    void ProbeForBlowup()
    {
        var matches = new List<Cut>();
        foreach (var probe in (ReadOnlySpan<string>)["a", "A", " ", "1", ".", "a1", " \n", "aA", "é"])
        {
            foreach (var end in (ReadOnlySpan<string>)["", "!", "\0"])
            {
                Find(string.Concat(Enumerable.Repeat(probe, 512)) + end, matches);
            }
        }
    }
}
