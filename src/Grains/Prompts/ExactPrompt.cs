using System.Runtime.InteropServices;
using System.Text;
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
    /// <param name="anchors">The ends of the replies in the transcript.</param>
    public static int[] Build(
        Tokenizer tokenizer, IReadOnlyList<TextSegment> segments, int[] held, IReadOnlyList<Anchor> anchors)
    {
        foreach (var anchor in Matching(segments, held, anchors))
        {
            if (EncodeAfter(tokenizer, segments, held[anchor.Tokens - 1], anchor.Characters) is { } rest)
                return [.. held.AsSpan(0, anchor.Tokens), .. rest];
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
        var anchors = AnchorsAt([.. segments, new TextSegment(text, IsTemplate: false)], [.. prompt, .. tokens], end, tokenizer);
        // Some decoders drop the space that a text's first token begins with, and templates write it before the text.
        var raw = Encoding.UTF8.GetString([.. tokens.SelectMany(t => tokenizer.BytesOf(t).ToArray())]);
        if (raw.Length == text.Length + 1 && raw[0] == ' ')
        {
            List<TextSegment> spaced = [.. segments, new(" ", IsTemplate: true), new(text, IsTemplate: false)];
            anchors.AddRange(AnchorsAt(spaced, [.. prompt, .. tokens], end, tokenizer));
        }
        return anchors;
    }

    /// <summary>Anchors at the end of a text, and behind the token that ends the reply.</summary>
    static List<Anchor> AnchorsAt(List<TextSegment> rendered, List<int> exact, int? end, Tokenizer tokenizer)
    {
        List<(int Tokens, int Characters)> places = [(exact.Count, rendered.Sum(s => s.Text.Length))];
        if (end is { } id && tokenizer.TokenOf(id) is { } form)
        {
            rendered.Add(new TextSegment(form, IsTemplate: true));
            exact.Add(id);
            places.Add((exact.Count, places[0].Characters + form.Length));
        }
        var texts = PrefixHash.OfText(rendered, places.Select(p => p.Characters));
        var ids = PrefixHash.OfTokens(CollectionsMarshal.AsSpan(exact), places.Select(p => p.Tokens));
        return places.ConvertAll(p => new Anchor(p.Tokens, p.Characters, texts[p.Characters], ids[p.Tokens]));
    }

    /// <summary>The anchors that text and tokens still have, the furthest first.</summary>
    static IEnumerable<Anchor> Matching(
        IReadOnlyList<TextSegment> segments, int[] held, IReadOnlyList<Anchor> anchors)
    {
        var texts = PrefixHash.OfText(segments, anchors.Select(a => a.Characters));
        var tokens = PrefixHash.OfTokens(held, anchors.Select(a => a.Tokens));
        return anchors
            .Where(a => texts.GetValueOrDefault(a.Characters) == a.TextHash && tokens.GetValueOrDefault(a.Tokens) == a.TokenHash)
            .OrderByDescending(a => a.Tokens);
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
