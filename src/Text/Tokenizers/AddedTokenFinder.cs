using System.Buffers;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>A part of a text: an added token, or (Token null) what stands between them.</summary>
readonly record struct TextPart(int Start, int End, AddedToken? Token);

/// <summary>Finds added tokens: leftmost first, of several at one place the longest.</summary>
sealed class AddedTokenFinder
{
    sealed class Node
    {
        internal readonly Dictionary<char, Node> Children = [];
        internal AddedToken? Token;
    }

    readonly Node _root = new();
    readonly SearchValues<char> _firstCharacters;

    internal AddedTokenFinder(IEnumerable<AddedToken> tokens, Func<string, string> contentForm)
    {
        foreach (var token in tokens)
        {
            var node = _root;
            foreach (var c in contentForm(token.Content))
            {
                if (!node.Children.TryGetValue(c, out var child))
                {
                    node.Children.Add(c, child = new());
                }

                node = child;
            }

            if (node != _root)
            {
                node.Token ??= token;
            }
        }

        _firstCharacters = SearchValues.Create(_root.Children.Keys.ToArray());
    }

    /// <summary>Cuts the text into its added tokens and the rest. Control tokens count only where the text is trusted.</summary>
    /// <param name="offset">Where the text begins in the text that <paramref name="trust"/> speaks of.</param>
    internal List<TextPart> Split(string text, Trust trust, int offset = 0)
    {
        var parts = new List<TextPart>();
        var position = 0;
        var rest = 0;
        while (Find(text, position, trust, offset) is { Token: { } token } match)
        {
            position = match.End;
            if (token.SingleWord && (EndsInWord(text.AsSpan(0, match.Start)) || StartsWithWord(text.AsSpan(match.End))))
            {
                continue;
            }

            var start = token.StripLeft ? Math.Max(rest, text.AsSpan(0, match.Start).TrimEnd().Length) : match.Start;
            var end = token.StripRight ? text.Length - text.AsSpan(match.End).TrimStart().Length : match.End;
            if (rest < start)
            {
                parts.Add(new(rest, start, null));
            }

            parts.Add(new(start, end, token));
            rest = end;
        }

        if (rest < text.Length)
        {
            parts.Add(new(rest, text.Length, null));
        }

        return parts;
    }

    TextPart Find(string text, int from, Trust trust, int offset)
    {
        for (var start = from; start < text.Length; start++)
        {
            var skip = text.AsSpan(start).IndexOfAny(_firstCharacters);
            if (skip < 0)
            {
                break;
            }

            start += skip;
            if (LongestAt(text, start, trust, offset) is { Token: not null } match)
            {
                return match;
            }
        }

        return default;
    }

    TextPart LongestAt(string text, int start, Trust trust, int offset)
    {
        TextPart longest = default;
        var node = _root;
        for (var i = start; i < text.Length && node.Children.TryGetValue(text[i], out var next); i++)
        {
            node = next;
            if (node.Token is { } token && (!token.IsControl || trust.Covers(offset + start, offset + i + 1)))
            {
                longest = new(start, i + 1, token);
            }
        }

        return longest;
    }

    static bool EndsInWord(ReadOnlySpan<char> text)
        => Rune.DecodeLastFromUtf16(text, out var rune, out _) == OperationStatus.Done && CharacterKinds.IsWord(rune);

    static bool StartsWithWord(ReadOnlySpan<char> text)
        => Rune.DecodeFromUtf16(text, out var rune, out _) == OperationStatus.Done && CharacterKinds.IsWord(rune);
}
