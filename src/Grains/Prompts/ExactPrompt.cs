using Hearth.Text;

namespace Hearth.Grains.Prompts;

/// <summary>Tokenizes a conversation's next prompt so that what the model wrote stays exactly as it wrote it.
/// A model's tokens need not be those that its text would be encoded to; encoding a reply again would change the tokens
/// whose keys and values are cached, and so lose the cache and change the conversation.</summary>
static class ExactPrompt
{
    /// <summary>The exact tokens up to the last reply that the prompt still contains, and the encoding of what follows.
    /// Equal to encoding the whole text wherever the replies are what that encoding would give.</summary>
    /// <param name="held">The conversation's exact tokens so far.</param>
    /// <param name="anchors">The ends of the replies in the transcript, ascending.</param>
    public static int[] Build(
        Tokenizer tokenizer, IReadOnlyList<TextSegment> segments, IReadOnlyList<int> held, IReadOnlyList<Anchor> anchors)
    {
        foreach (var anchor in Matching(segments, held, anchors).Reverse())
        {
            if (EncodeAfter(tokenizer, segments, held[anchor.Tokens - 1], anchor.Characters) is { } rest)
                return [.. held.Take(anchor.Tokens), .. rest];
        }
        return tokenizer.Encode(segments);
    }

    /// <summary>The anchors at the end of a reply, for the turns after it.</summary>
    /// <param name="prompt">The rendered text and tokens that the reply was made from.</param>
    /// <param name="text">What was shown.</param>
    /// <param name="tokens">The tokens of exactly that text, and after them perhaps <paramref name="end"/>.</param>
    /// <param name="end">The token that ended the reply; null if none did.</param>
    public static IReadOnlyList<Anchor> AnchorsAfter(
        Tokenizer tokenizer, IReadOnlyList<TextSegment> segments, int[] prompt, string text, IReadOnlyList<int> tokens, int? end)
    {
        // A control token among the shown ones has no text in the transcript: then the tokens would not stand for the text.
        if (tokens.Any(t => tokenizer.IsControl(t) || tokenizer.IsSpecial(t)))
            return [];
        var rendered = segments.Append(new TextSegment(text, IsTemplate: false)).ToList();
        var characters = rendered.Sum(s => s.Text.Length);
        List<int> lengths = [characters];
        List<int> counts = [prompt.Length + tokens.Count];
        IEnumerable<int> exact = prompt.Concat(tokens);
        if (end is { } id && tokenizer.TokenOf(id) is { } form)
        {
            rendered.Add(new TextSegment(form, IsTemplate: true));
            lengths.Add(characters + form.Length);
            counts.Add(counts[0] + 1);
            exact = exact.Append(id);
        }
        var texts = PrefixHash.OfText(rendered, lengths);
        var ids = PrefixHash.OfTokens(exact, counts);
        return [.. counts.Select((count, i) => new Anchor(count, lengths[i], texts[i], ids[i]))];
    }

    static IEnumerable<Anchor> Matching(
        IReadOnlyList<TextSegment> segments, IReadOnlyList<int> held, IReadOnlyList<Anchor> anchors)
    {
        // Tokens grow with characters along a transcript; an older anchor that is out of order belongs to tokens that are gone.
        var ordered = new List<Anchor>();
        foreach (var anchor in anchors.Where(a => a.Tokens > 0 && a.Tokens <= held.Count).Reverse())
        {
            if (ordered.Count == 0 || (anchor.Tokens < ordered[^1].Tokens && anchor.Characters < ordered[^1].Characters))
                ordered.Add(anchor);
        }
        ordered.Reverse();
        var texts = PrefixHash.OfText(segments, ordered.ConvertAll(a => a.Characters));
        var tokens = PrefixHash.OfTokens(held, ordered.ConvertAll(a => a.Tokens));
        return ordered.Take(texts.Count).Where((a, i) => a.TextHash == texts[i] && a.TokenHash == tokens[i]);
    }

    /// <summary>Encodes the text from a character on as it would be encoded after the token that stands before it.</summary>
    /// <returns>Null if that cannot be told.</returns>
    static int[]? EncodeAfter(Tokenizer tokenizer, IReadOnlyList<TextSegment> segments, int before, int from)
    {
        var rest = Cut(segments, from);
        if (!tokenizer.IsControl(before) && !tokenizer.IsSpecial(before))
            return tokenizer.Encode(rest);
        // Some tokenizers treat the beginning of a text in their own way, so the text is given a control token to follow.
        var ids = tokenizer.Encode([new TextSegment(tokenizer.TokenOf(before)!, IsTemplate: true), .. rest]);
        return ids.Length > 0 && ids[0] == before ? ids[1..] : null;
    }

    static List<TextSegment> Cut(IReadOnlyList<TextSegment> segments, int from)
    {
        var rest = new List<TextSegment>();
        foreach (var segment in segments)
        {
            if (from < segment.Text.Length)
                rest.Add(segment with { Text = segment.Text[from..] });
            from = Math.Max(0, from - segment.Text.Length);
        }
        return rest;
    }
}
