namespace Hearth.Text.Templates;

/// <summary>Source to tokens, with jinja2's trim_blocks and lstrip_blocks on and its '-' and '+' marks.</summary>
sealed class Lexer
{
    static readonly string[] s_operators =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~",
        "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
    ];

    readonly SourceText _source;
    readonly string _text;
    readonly List<Token> _tokens = [];
    int _at;

    // A tag stands at the start of its line when what came before it ended one: lstrip_blocks looks at this.
    bool _lineStarting = true;

    Lexer(SourceText source)
    {
        _source = source;
        _text = source.Text;
    }

    public static List<Token> Tokenize(SourceText source)
    {
        var lexer = new Lexer(source);
        while (lexer._at < lexer._text.Length)
            lexer.ReadTextAndTag();
        lexer.Add(TokenKind.End, "", lexer._text.Length);
        return lexer._tokens;
    }

    void ReadTextAndTag()
    {
        var tag = _at;
        while ((tag = _text.IndexOf('{', tag)) >= 0 && !(tag + 1 < _text.Length && _text[tag + 1] is '{' or '%' or '#'))
            tag++;
        if (tag < 0)
        {
            AddData(_at, _text.Length);
            _at = _text.Length;
            return;
        }
        AddData(_at, StripBefore(_at, tag));
        var kind = _text[tag + 1];
        _at = tag + 2;
        SkipSign();
        if (kind == '#')
            SkipComment(tag);
        else if (kind == '%' && TryReadWord(_at, "raw", out var rawTagEnd))
            ReadRaw(tag, rawTagEnd);
        else
            ReadTag(tag, kind);
    }

    /// <summary>Where the data before a tag ends once '-' or lstrip_blocks has taken its white space.</summary>
    int StripBefore(int start, int tag)
    {
        var sign = tag + 2 < _text.Length ? _text[tag + 2] : ' ';
        var end = tag;
        if (sign == '-')
        {
            while (end > start && Characters.IsSpace(_text[end - 1]))
                end--;
            return end;
        }
        if (sign == '+' || _text[tag + 1] == '{')
            return end;
        while (end > start && _text[end - 1] != '\n' && Characters.IsSpace(_text[end - 1]))
            end--;
        var reachesLineStart = end > start ? _text[end - 1] == '\n' : _lineStarting;
        return reachesLineStart ? end : tag;
    }

    void SkipSign()
    {
        if (_at < _text.Length && _text[_at] is '-' or '+')
            _at++;
    }

    void SkipComment(int tag)
    {
        var end = _text.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
            throw _source.Error("Missing end of comment tag", tag);
        _at = EndTag(end > _at && _text[end - 1] is '-' or '+' ? end - 1 : end);
    }

    /// <summary>Past the closing mark at this position, with the white space that it swallows.</summary>
    int EndTag(int mark)
    {
        var sign = _text[mark];
        var end = mark + (sign is '-' or '+' ? 3 : 2);
        if (sign == '-')
            end = SkipSpace(end);
        else if (sign != '+' && _text[mark] != '}' && end < _text.Length && _text[end] == '\n')
            end++;
        _lineStarting = _text[end - 1] == '\n';
        return end;
    }

    int SkipSpace(int at)
    {
        while (at < _text.Length && Characters.IsSpace(_text[at]))
            at++;
        return at;
    }

    /// <summary>Matches `word %}` with the closing mark's signs; gives where the mark begins.</summary>
    bool TryReadWord(int at, string word, out int mark)
    {
        at = SkipSpace(at);
        mark = SkipSpace(at + word.Length);
        return string.CompareOrdinal(_text, at, word, 0, word.Length) == 0 && IsBlockEnd(mark);
    }

    bool IsBlockEnd(int at) => string.CompareOrdinal(_text, at, "%}", 0, 2) == 0
        || string.CompareOrdinal(_text, at, "-%}", 0, 3) == 0 || string.CompareOrdinal(_text, at, "+%}", 0, 3) == 0;

    void ReadRaw(int tag, int mark)
    {
        // The opening tag never takes the line break after it: trim_blocks spares it.
        _at = _text[mark] == '-' ? SkipSpace(mark + 3) : mark + (_text[mark] == '+' ? 3 : 2);
        _lineStarting = _text[_at - 1] == '\n';
        for (var end = _at; (end = _text.IndexOf("{%", end, StringComparison.Ordinal)) >= 0; end += 2)
        {
            var word = end + 2 < _text.Length && _text[end + 2] is '-' or '+' ? end + 3 : end + 2;
            if (!TryReadWord(word, "endraw", out var endMark))
                continue;
            AddData(_at, StripBefore(_at, end));
            _at = EndTag(endMark);
            return;
        }
        throw _source.Error("Missing end of raw directive", tag);
    }

    void ReadTag(int tag, char kind)
    {
        var (begin, end, close) = kind == '{'
            ? (TokenKind.PrintBegin, TokenKind.PrintEnd, "}}")
            : (TokenKind.BlockBegin, TokenKind.BlockEnd, "%}");
        Add(begin, "", tag);
        var open = new Stack<char>();
        while (true)
        {
            _at = SkipSpace(_at);
            if (_at >= _text.Length)
                return;
            if (open.Count == 0 && ClosingMark(close) is int mark)
            {
                Add(end, "", mark);
                _at = EndTag(mark);
                return;
            }
            ReadToken(open);
        }
    }

    int? ClosingMark(string close)
    {
        if (string.CompareOrdinal(_text, _at, close, 0, 2) == 0)
            return _at;
        var isSigned = _text[_at] == '-' || (_text[_at] == '+' && close == "%}");
        return isSigned && string.CompareOrdinal(_text, _at + 1, close, 0, 2) == 0 ? _at : null;
    }

    void ReadToken(Stack<char> open)
    {
        var c = _text[_at];
        if (char.IsAsciiDigit(c))
            ReadNumber();
        else if (c == '_' || char.IsLetterOrDigit(c))
            ReadName();
        else if (c is '\'' or '"')
            ReadString(c);
        else
            ReadOperator(open);
    }

    void ReadNumber()
    {
        var start = _at;
        var end = SkipDigits(start, char.IsAsciiDigit);
        var isFloat = false;
        if (start == 0 || _text[start - 1] != '.')
        {
            var fraction = end < _text.Length && _text[end] == '.' ? SkipDigits(end + 1, char.IsAsciiDigit) : end;
            if (fraction > end + 1)
                (end, isFloat) = (fraction, true);
            if (end < _text.Length && _text[end] is 'e' or 'E')
            {
                var sign = end + 1 < _text.Length && _text[end + 1] is '+' or '-' ? 2 : 1;
                var exponent = SkipDigits(end + sign, char.IsAsciiDigit);
                if (exponent > end + sign)
                    (end, isFloat) = (exponent, true);
            }
        }
        if (!isFloat && _text[start] == '0')
            end = ZeroOrPrefixed(start);
        Add(isFloat ? TokenKind.Float : TokenKind.Integer, _text[start..end].Replace("_", "", StringComparison.Ordinal), start);
        _at = end;
    }

    /// <summary>The end of 0x1f, 0o17, 0b11 or of a row of zeros.</summary>
    int ZeroOrPrefixed(int start)
    {
        Func<char, bool>? digits = start + 1 >= _text.Length ? null : (_text[start + 1] | 0x20) switch
        {
            'x' => char.IsAsciiHexDigit,
            'o' => c => c is >= '0' and <= '7',
            'b' => c => c is '0' or '1',
            _ => null,
        };
        var end = digits is null ? start : SkipDigits(start + 2, digits);
        return end > start + 2 ? end : SkipDigits(start, c => c == '0');
    }

    int SkipDigits(int at, Func<char, bool> isDigit)
    {
        while (at < _text.Length && (isDigit(_text[at])
            || (_text[at] == '_' && at + 1 < _text.Length && isDigit(_text[at + 1]) && at > 0 && isDigit(_text[at - 1]))))
        {
            at++;
        }
        return at;
    }

    void ReadName()
    {
        var start = _at;
        while (_at < _text.Length && (_text[_at] == '_' || char.IsLetterOrDigit(_text[_at])))
            _at++;
        Add(TokenKind.Name, _text[start.._at], start);
    }

    void ReadString(char quote)
    {
        var end = _at + 1;
        while (end < _text.Length && _text[end] != quote)
            end += _text[end] == '\\' ? 2 : 1;
        if (end >= _text.Length)
            throw _source.Error($"unexpected char {(quote == '"' ? "'\"'" : "\"'\"")} at {_at}", _at);
        var text = StringEscapes.Decode(_text[(_at + 1)..end])
            ?? throw _source.Error("a string with an escape that is not valid", _at);
        Add(TokenKind.String, text, _at);
        _at = end + 1;
    }

    void ReadOperator(Stack<char> open)
    {
        var op = Array.Find(s_operators, o => string.CompareOrdinal(_text, _at, o, 0, o.Length) == 0)
            ?? throw _source.Error($"unexpected char '{_text[_at]}' at {_at}", _at);
        if (op[0] is '(' or '[' or '{')
        {
            open.Push(op[0] switch { '(' => ')', '[' => ']', _ => '}' });
        }
        else if (op[0] is ')' or ']' or '}')
        {
            if (open.Count == 0)
                throw _source.Error($"unexpected '{op}'", _at);
            if (open.Pop() is var expected && expected != op[0])
                throw _source.Error($"unexpected '{op}', expected '{expected}'", _at);
        }
        Add(TokenKind.Operator, op, _at);
        _at += op.Length;
    }

    void AddData(int start, int end)
    {
        if (end > start)
            Add(TokenKind.Data, _text[start..end], start);
    }

    void Add(TokenKind kind, string text, int position) => _tokens.Add(new Token(kind, text, position));
}
