namespace Hearth.Text.Tokenizers;

/// <summary>Passes tokens through a function; null drops the token.</summary>
sealed class MapSink(Func<string, string?> map, TokenSink next) : TokenSink
{
    internal override int HeldBytes => next.HeldBytes;

    internal override void Token(string token)
    {
        if (map(token) is { } piece)
        {
            next.Token(piece);
        }
    }

    internal override void End() => next.End();
}

/// <summary>A file without a decoder: tokens with a space between them.</summary>
sealed class JoinStep : DecodeStep
{
    internal override TokenSink Open(TokenSink next, bool fused)
    {
        var separator = "";
        return new MapSink(token =>
        {
            var joined = separator + token;
            separator = " ";
            return joined;
        }, next);
    }
}

/// <summary>Joins the tokens; in a stream there is nothing to do but to tell the later steps.</summary>
sealed class FuseStep : DecodeStep
{
    internal override bool Fuses => true;

    internal override TokenSink Open(TokenSink next, bool fused) => next;
}

sealed class ReplaceStep(JsonField field) : DecodeStep
{
    readonly ReplaceNormalizer _replace = new(field);

    internal override TokenSink Open(TokenSink next, bool fused) => new MapSink(PieceOf, next);

    internal override string PieceOf(string token) => _replace.Apply(token);
}

/// <summary>Takes characters off the ends of every token, or off the start of the fused text.</summary>
sealed class StripStep : DecodeStep
{
    readonly char _content;
    readonly int _start;
    readonly int _stop;

    internal StripStep(JsonField field, bool fused)
    {
        var content = field["content"].Text();
        _content = content.Length == 1 ? content[0] : throw field["content"].Error("must be one character");
        _start = field["start"].NumberOr(0, Limits.Tokenizer.TokenCharactersMax);
        _stop = field["stop"].NumberOr(0, Limits.Tokenizer.TokenCharactersMax);
        if (fused && _stop > 0)
        {
            throw field["stop"].Error("must be 0 after a step that fuses");
        }
    }

    internal override TokenSink Open(TokenSink next, bool fused)
    {
        if (!fused)
        {
            return new MapSink(token => token[Leading(token, _start)..^Trailing(token)], next);
        }

        var left = _start;
        return new MapSink(text =>
        {
            var cut = Leading(text, left);
            left = cut < text.Length ? 0 : left - cut;
            return text[cut..];
        }, next);
    }

    int Leading(string text, int max)
    {
        var count = 0;
        while (count < Math.Min(max, text.Length) && text[count] == _content)
        {
            count++;
        }

        return count;
    }

    int Trailing(string text)
    {
        var count = 0;
        while (count < Math.Min(_stop, text.Length - Leading(text, _start)) && text[^(count + 1)] == _content)
        {
            count++;
        }

        return count;
    }
}

/// <summary>SentencePiece's '▁' becomes a space, and nothing in the first token unless none was put in front.</summary>
sealed class MetaspaceStep : DecodeStep
{
    readonly string _replacement;
    readonly bool _dropsFirst;

    internal MetaspaceStep(JsonField field)
    {
        _replacement = field["replacement"].Text();
        var scheme = field["prepend_scheme"].TextOr(field["add_prefix_space"].Flag(whenAbsent: true) ? "always" : "never");
        _dropsFirst = scheme != "never";
        if (_replacement.Length != 1)
        {
            throw field["replacement"].Error("must be one character");
        }
    }

    internal override TokenSink Open(TokenSink next, bool fused)
    {
        var drops = _dropsFirst;
        return new MapSink(token =>
        {
            var space = drops ? "" : " ";
            drops = false;
            return token.Replace(_replacement, space, StringComparison.Ordinal);
        }, next);
    }

    internal override string PieceOf(string token) => token.Replace(_replacement, " ", StringComparison.Ordinal);
}
