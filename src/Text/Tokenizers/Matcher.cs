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

/// <summary>Finds single code points of one kind.</summary>
sealed class RuneMatcher(Func<Rune, bool> isMatch) : Matcher
{
    internal override void Find(ReadOnlySpan<char> text, List<Cut> matches)
    {
        for (var i = 0; i < text.Length;)
        {
            var known = Rune.DecodeFromUtf16(text[i..], out var rune, out var length) == OperationStatus.Done;
            if (known && isMatch(rune))
            {
                matches.Add(new(i, i + length));
            }

            i += length;
        }
    }
}
