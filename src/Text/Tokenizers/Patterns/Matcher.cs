using System.Buffers;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>Finds what a splitting step or a replacement looks for.</summary>
abstract class Matcher
{
    /// <summary>Adds the matches in <paramref name="text"/>, in order and without overlap.</summary>
    internal abstract void Find(ReadOnlySpan<char> text, List<Cut> matches);

    /// <summary>Reads <c>{"String": ..}</c> or <c>{"Regex": ..}</c>.</summary>
    internal static Matcher Read(JsonField field)
    {
        if (field["String"] is { IsNull: false } literal)
        {
            return new LiteralMatcher(literal);
        }

        var pattern = field["Regex"];
        return pattern.Text() switch
        {
            Gpt2Matcher.Pattern => new Gpt2Matcher(),
            Llama3Matcher.Pattern => new Llama3Matcher(digitsMax: 3),
            Llama3Matcher.PatternOfQwen2 => new Llama3Matcher(digitsMax: 1),
            _ => new RegexMatcher(pattern),
        };
    }
}

/// <summary>Finds a fixed string.</summary>
sealed class LiteralMatcher : Matcher
{
    readonly string _literal;

    internal LiteralMatcher(JsonField field)
    {
        _literal = field.Text();
        if (_literal.Length == 0)
        {
            throw field.Error("must not be empty");
        }
    }

    internal override void Find(ReadOnlySpan<char> text, List<Cut> matches)
    {
        var position = 0;
        while (text[position..].IndexOf(_literal, StringComparison.Ordinal) is >= 0 and var skip)
        {
            matches.Add(new(position + skip, position + skip + _literal.Length));
            position += skip + _literal.Length;
        }
    }
}

/// <summary>Finds single code points of a kind.</summary>
sealed class RuneMatcher(Func<Rune, bool> isMatch) : Matcher
{
    readonly bool[] _asciiMatches = [.. Enumerable.Range(0, 128).Select(c => isMatch(new(c)))];

    internal override void Find(ReadOnlySpan<char> text, List<Cut> matches)
    {
        for (var i = 0; i < text.Length;)
        {
            var (isFound, length) = At(text, i);
            if (isFound)
            {
                matches.Add(new(i, i + length));
            }

            i += length;
        }
    }

    (bool IsMatch, int Length) At(ReadOnlySpan<char> text, int index)
    {
        if (text[index] < _asciiMatches.Length)
        {
            return (_asciiMatches[text[index]], 1);
        }

        var isKnown = Rune.DecodeFromUtf16(text[index..], out var rune, out var length) == OperationStatus.Done;
        return (isKnown && isMatch(rune), length);
    }
}

/// <summary>Finds words, and what stands between words and white space: <c>\w+|[^\w\s]+</c>.</summary>
sealed class WordMatcher : Matcher
{
    internal override void Find(ReadOnlySpan<char> text, List<Cut> matches)
    {
        CharacterKind? last = null;
        for (var i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text[i..], out var rune, out var length);
            var kind = CharacterKinds.IsWord(rune) ? CharacterKind.Letter
                : Rune.IsWhiteSpace(rune) ? CharacterKind.Space : CharacterKind.Other;
            if (kind == last && kind != CharacterKind.Space)
            {
                matches[^1] = new(matches[^1].Start, i + length);
            }
            else if (kind != CharacterKind.Space)
            {
                matches.Add(new(i, i + length));
            }

            last = kind;
            i += length;
        }
    }
}
