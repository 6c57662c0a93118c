namespace Hearth.Text.Tokenizers;

/// <summary>A token within a word drops its prefix, any other has a space before it; then spaces before punctuation go.</summary>
sealed class WordPieceStep(JsonField field) : DecodeStep
{
    readonly string _prefix = field["prefix"].TextOr("##");
    readonly bool _cleans = field["cleanup"].Flag(whenAbsent: true);

    internal override TokenSink Open(TokenSink next, bool fused)
    {
        var isFirst = true;
        return new MapSink(token =>
        {
            var piece = isFirst ? Clean(token) : PieceOf(token);
            isFirst = false;
            return piece;
        }, next);
    }

    internal override string PieceOf(string token)
        => Clean(token.StartsWith(_prefix, StringComparison.Ordinal) ? token[_prefix.Length..] : " " + token);

    string Clean(string text) => _cleans ? WordSpaces.Clean(text) : text;
}

/// <summary>The end-of-word suffix becomes a space, and in the last token nothing.</summary>
sealed class WordEndStep(JsonField field) : DecodeStep
{
    readonly string _suffix = field["suffix"].TextOr("</w>") is { Length: > 0 } suffix ? suffix
        : throw field["suffix"].Error("must not be empty");

    internal override TokenSink Open(TokenSink next, bool fused) => new Sink(_suffix, next);

    internal override string PieceOf(string token) => token.Replace(_suffix, " ", StringComparison.Ordinal);

    sealed class Sink(string suffix, TokenSink next) : TokenSink
    {
        string? _held;

        internal override int HeldBytes => (_held is null ? 0 : System.Text.Encoding.UTF8.GetByteCount(_held)) + next.HeldBytes;

        internal override void Token(string token)
        {
            Release(" ");
            _held = token;
        }

        internal override void End()
        {
            Release("");
            next.End();
        }

        void Release(string wordEnd)
        {
            if (_held is { } token)
            {
                _held = null;
                next.Token(token.Replace(suffix, wordEnd, StringComparison.Ordinal));
            }
        }
    }
}

/// <summary>Connectionist temporal classification: of equal tokens in a row one stays, padding goes.</summary>
sealed class CtcStep(JsonField field) : DecodeStep
{
    readonly string _padding = field["pad_token"].TextOr("<pad>") is { Length: > 0 } token ? token
        : throw field["pad_token"].Error("must not be empty");

    readonly string _wordDelimiter = field["word_delimiter_token"].TextOr("|") is { Length: > 0 } token ? token
        : throw field["word_delimiter_token"].Error("must not be empty");

    readonly bool _cleans = field["cleanup"].Flag(whenAbsent: true);

    internal override TokenSink Open(TokenSink next, bool fused)
    {
        string? last = null;
        return new MapSink(token =>
        {
            var piece = token == last ? null : PieceOf(token);
            last = token;
            return piece is "" ? null : piece;
        }, next);
    }

    internal override string PieceOf(string token)
    {
        var piece = token.Replace(_padding, "", StringComparison.Ordinal);
        return _cleans ? WordSpaces.Clean(piece).Replace(_wordDelimiter, " ", StringComparison.Ordinal) : piece;
    }
}

/// <summary>Spaces that joining words leaves where text has none.</summary>
static class WordSpaces
{
    static readonly (string From, string To)[] Replacements =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"),
        (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    internal static string Clean(string text)
    {
        foreach (var (from, to) in Replacements)
        {
            text = text.Replace(from, to, StringComparison.Ordinal);
        }

        return text;
    }
}
