using System.Text;
using Hearth.Contracts;
using Hearth.Text;

namespace Hearth.Grains.Replies;

/// <summary>A choice's tokens whose text is not shown yet: part of a code point, or what may become a stop string.</summary>
sealed record HeldBack(int Choice, IReadOnlyList<int> Tokens, IReadOnlyList<TokenLogprob> Logprobs);

/// <summary>Turns a reply's tokens into the text that is shown: whole code points only, nothing of a stop string, no control
/// tokens. For one choice.</summary>
sealed class ReplyDecoder(Tokenizer tokenizer, GenerationOptions options, int choice)
{
    readonly IncrementalDecoder _decoder = new(tokenizer, skipSpecialTokens: true);
    readonly StopStrings _stops = new(options.Stop);
    readonly StringBuilder _shown = new();
    readonly List<int> _tokens = [];
    /// <summary>Per token: characters decoded when it was in, and whether none of its bytes waited for more.</summary>
    readonly List<(int Characters, bool Whole)> _ends = [];
    readonly List<(int Index, TokenLogprob Logprob)> _logprobs = [];
    int _decoded;
    int _told;

    /// <summary>All tokens of the reply, also those that are not shown.</summary>
    public IReadOnlyList<int> Tokens => _tokens;

    public string Text => _shown.ToString();

    public bool Stopped => _stops.Matched;

    /// <summary>What was decoded since the last delta: tokens, and their log-probabilities when asked for.</summary>
    public HeldBack HeldBack => new(choice, _tokens[_told..], _logprobs.ConvertAll(l => l.Logprob));

    /// <summary>Takes a token of the text.</summary>
    /// <returns>What it makes certain; null if nothing.</returns>
    public TurnDelta? Push(TokenChunk chunk) => Push(chunk.Token, options.Logprobs ? LogprobOf(chunk) : null);

    TurnDelta? Push(int token, TokenLogprob? logprob)
    {
        var text = _decoder.Push(token);
        _tokens.Add(token);
        _decoded += text.Length;
        _ends.Add((_decoded, _decoder.PendingBytes == 0));
        if (logprob is not null)
            _logprobs.Add((_tokens.Count - 1, logprob));
        return Show(_stops.Push(text));
    }

    /// <summary>Takes a token that another silo has shown already: afterwards this decoder is as that silo's was.</summary>
    public void Prime(int shown) => Push(shown, null);

    /// <summary>Takes tokens that another silo had, and had not shown yet.</summary>
    public void Prime(HeldBack held)
    {
        for (var i = 0; i < held.Tokens.Count; i++)
            Push(held.Tokens[i], i < held.Logprobs.Count ? held.Logprobs[i] : null);
    }

    /// <summary>The tokens since the last delta, which count as told now.</summary>
    public List<int> TakeTokens()
    {
        var rest = _tokens[_told..];
        _told = _tokens.Count;
        return rest;
    }

    /// <summary>Takes the token that ended the reply: it is part of the conversation and not of the text.</summary>
    public void PushEnd(int token) => _tokens.Add(token);

    /// <summary>Ends the text.</summary>
    public TurnDelta? Flush()
    {
        var rest = _decoder.Flush();
        _decoded += rest.Length;
        return Show(_stops.Push(rest) + _stops.Flush());
    }

    /// <summary>The first tokens that lie wholly within the shown text, and whether they are exactly that text.</summary>
    public (int Count, bool Exact) ShownTokens()
    {
        if (!Stopped)
            return (_ends.Count, true);
        var count = _ends.FindLastIndex(e => e.Characters <= _shown.Length) + 1;
        var exact = count == 0 ? _shown.Length == 0 : _ends[count - 1].Characters == _shown.Length && _ends[count - 1].Whole;
        return (count, exact);
    }

    TurnDelta? Show(string text)
    {
        _shown.Append(text);
        if (text.Length == 0 && !(options.Logprobs && Stopped))
            return null;
        var limit = Stopped ? ShownTokens().Count : _tokens.Count;
        var logprobs = _logprobs.Where(l => l.Index < limit).Select(l => l.Logprob).ToList();
        _logprobs.Clear();
        return text.Length == 0 && logprobs.Count == 0
            ? null
            : new TurnDelta { Choice = choice, Text = text, Tokens = TakeTokens(), Logprobs = logprobs };
    }

    TokenLogprob LogprobOf(TokenChunk chunk)
    {
        var (token, bytes) = Form(chunk.Token);
        var top = chunk.Top ?? [];
        return new TokenLogprob(token, bytes, chunk.Logprob, [.. top.Select(t => AlternativeOf(t.Token, t.Logprob))]);
    }

    AlternativeLogprob AlternativeOf(int id, float logprob)
    {
        var (token, bytes) = Form(id);
        return new AlternativeLogprob(token, bytes, logprob);
    }

    (string Token, byte[] Bytes) Form(int id)
    {
        var bytes = tokenizer.BytesOf(id).ToArray();
        return (Encoding.UTF8.GetString(bytes), bytes);
    }
}
