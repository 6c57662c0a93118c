using System.Globalization;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// Rewrites a tokenizer file's regular expression (Oniguruma's dialect) for .NET: sets may nest, <c>\w</c> and <c>\d</c> follow
/// Unicode, <c>(?i:..)</c> is written out, and possessive quantifiers become atomic groups.
/// </summary>
sealed class PatternTranslator
{
    const string WordSet = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u00B2\u00B3\u00B9\u00BC-\u00BE\u24B6-\u24E9";

    /// <summary>The script's characters of the basic plane; one of them stands in for those beyond it.</summary>
    const string HanSet = @"\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u3005\u3007\u3021-\u3029\u3038-\u303B"
        + @"\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFA6D\uFA70-\uFAD9";

    readonly JsonField _field;
    readonly string _source;
    readonly StringBuilder _output = new();
    readonly Stack<bool> _ignoreCase = new([false]);
    readonly Stack<int> _groupStarts = new();
    int _position;
    int _atomStart;

    PatternTranslator(JsonField field)
    {
        _field = field;
        _source = field.Text(Limits.Tokenizer.PatternCharactersMax);
        if (_source.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') >= 0)
        {
            throw field.Error("names characters beyond U+FFFF, which is not supported");
        }
    }

    internal static string Translate(JsonField field) => new PatternTranslator(field).Run();

    string Run()
    {
        while (_position < _source.Length)
        {
            switch (_source[_position])
            {
                case '(':
                    OpenGroup();
                    break;
                case ')':
                    CloseGroup();
                    break;
                case '[':
                    _atomStart = _output.Length;
                    _output.Append('[').Append(Set()).Append(']');
                    break;
                case '\\':
                    _atomStart = _output.Length;
                    _output.Append(Escape(inSet: false));
                    break;
                case '*' or '+' or '?' or '{':
                    Quantifier();
                    break;
                default:
                    Literal();
                    break;
            }
        }

        return _groupStarts.Count == 0 ? _output.ToString() : throw _field.Error("has an unclosed group");
    }

    void OpenGroup()
    {
        _groupStarts.Push(_output.Length);
        if (_source.AsSpan(_position).StartsWith("(?i:"))
        {
            _ignoreCase.Push(true);
            _output.Append("(?:");
            _position += 4;
            return;
        }

        _ignoreCase.Push(_ignoreCase.Peek());
        foreach (var head in (ReadOnlySpan<string>)["(?<=", "(?<!", "(?:", "(?=", "(?!", "(?>"])
        {
            if (_source.AsSpan(_position).StartsWith(head))
            {
                _output.Append(head);
                _position += head.Length;
                return;
            }
        }

        if (_source.AsSpan(_position).StartsWith("(?"))
        {
            throw _field.Error($"uses a group at character {_position} that is not supported");
        }

        _output.Append("(?:");
        _position++;
    }

    void CloseGroup()
    {
        if (!_groupStarts.TryPop(out _atomStart))
        {
            throw _field.Error($"closes a group at character {_position} that was not opened");
        }

        _ignoreCase.Pop();
        _output.Append(')');
        _position++;
    }

    void Quantifier()
    {
        var start = _position;
        if (_source[_position++] == '{')
        {
            var close = _source.IndexOf('}', _position);
            var body = close < 0 ? "" : _source[_position..close];
            if (body.Length == 0 || body.Any(c => !char.IsAsciiDigit(c) && c != ','))
            {
                _atomStart = _output.Length;
                _output.Append(@"\{");
                return;
            }

            _position = close + 1;
        }

        var braces = _source[start] == '{';
        if (_position < _source.Length && _source[_position] == '?')
        {
            _position++;
        }
        else if (!braces && _position < _source.Length && _source[_position] == '+')
        {
            _output.Insert(_atomStart, "(?>").Append(_source, start, _position - start).Append(')');
            _position++;
            return;
        }

        _output.Append(_source, start, _position - start);
    }

    void Literal()
    {
        var c = _source[_position++];
        _atomStart = _output.Length;
        if (c is '|' or '^' or '$' or '.')
        {
            // Oniguruma's ^ and $ stand at every line, as the tokenizers' library compiles them.
            _output.Append(c switch { '^' => "(?m:^)", '$' => "(?m:$)", _ => c.ToString() });
            return;
        }

        _output.Append(_ignoreCase.Peek() && char.IsLetter(c) ? $"[{BothCases(c)}]" : Quoted(c));
    }

    /// <summary>A set from its '[' to its ']' as the inside of a .NET set; nested sets join it.</summary>
    string Set()
    {
        var set = new StringBuilder();
        _position++;
        if (Peek() == '^')
        {
            set.Append('^');
            _position++;
        }

        var first = true;
        for (; _position < _source.Length; first = false)
        {
            var c = _source[_position];
            if (c == ']' && !first)
            {
                _position++;
                return set.ToString();
            }

            if (c == '&' && Peek(1) == '&')
            {
                return set + Intersection(set);
            }

            set.Append(c switch
            {
                '[' => NestedSet(),
                '\\' => Escape(inSet: true),
                '-' => Hyphen(first),
                _ => SetCharacter(c),
            });
        }

        throw _field.Error("has an unclosed set");
    }

    /// <summary>What follows <c>&amp;&amp;</c>: one set, of which .NET can take the complement away.</summary>
    string Intersection(StringBuilder left)
    {
        _position += 2;
        var right = Peek() == '[' && left.Length > 0 && left[0] != '^' ? Set() : "";
        if (right.Length == 0 || Peek() != ']')
        {
            throw _field.Error("intersects sets with && in a way that is not supported");
        }

        _position++;
        return right[0] == '^' ? $"-[{right[1..]}]" : $"-[^{right}]";
    }

    string NestedSet()
    {
        if (Peek(1) == ':')
        {
            throw _field.Error("uses a POSIX set, which is not supported");
        }

        var nested = Set();
        return !nested.StartsWith('^') && !nested.EndsWith(']') ? nested
            : throw _field.Error("holds a set inside a set in a way that is not supported");
    }

    string Hyphen(bool first)
    {
        _position++;
        return first || Peek() is ']' or '[' ? @"\-" : "-";
    }

    string SetCharacter(char c)
    {
        _position++;
        return _ignoreCase.Peek() && char.IsLetter(c) ? BothCases(c) : Quoted(c);
    }

    string Escape(bool inSet)
    {
        if (++_position >= _source.Length)
        {
            throw _field.Error("ends in a backslash");
        }

        var c = _source[_position++];
        switch (c)
        {
            case 'p' or 'P':
                return PropertyName() is var name && name != "{Han}" ? $@"\{c}{name}"
                    : c == 'p' ? inSet ? HanSet : $"[{HanSet}]"
                    : throw _field.Error(@"uses \P{Han}, which is not supported");
            case 'w':
                return inSet ? WordSet : $"[{WordSet}]";
            case 'W' when !inSet:
                return $"[^{WordSet}]";
            case 's' or 'S' or 'd' or 'D' or 'n' or 'r' or 't' or 'f' or 'v':
                return $@"\{c}";
            case 'b' when !inSet:
                return $"(?:(?<=[{WordSet}])(?![{WordSet}])|(?<![{WordSet}])(?=[{WordSet}]))";
            case 'B' when !inSet:
                return $"(?:(?<=[{WordSet}])(?=[{WordSet}])|(?<![{WordSet}])(?![{WordSet}]))";
            case 'A' or 'z' or 'Z' when !inSet:
                return $@"\{c}";
            case 'u' when uint.TryParse(_source.AsSpan(_position, Math.Min(4, _source.Length - _position)),
                NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _):
                _position += 4;
                return _source.Substring(_position - 6, 6);
            case 'x' when Peek() == '{':
                return CodePoint();
            default:
                return char.IsAsciiLetterOrDigit(c)
                    ? throw _field.Error($@"uses the escape \{c}, which is not supported") : Quoted(c);
        }
    }

    string CodePoint()
    {
        var close = _source.IndexOf('}', _position);
        var digits = close < 0 ? "" : _source[(_position + 1)..close];
        if (!ushort.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
        {
            throw _field.Error(@"has an escape \x{..} that is not supported");
        }

        _position = close + 1;
        return Quoted((char)value);
    }

    string PropertyName()
    {
        var close = _source.IndexOf('}', _position);
        if (Peek() != '{' || close < 0)
        {
            throw _field.Error(@"has an escape \p without {..}");
        }

        var name = _source[_position..(close + 1)];
        _position = close + 1;
        return name switch
        {
            "{Letter}" => "{L}",
            "{Number}" => "{N}",
            "{Mark}" => "{M}",
            "{Punctuation}" => "{P}",
            "{Symbol}" => "{S}",
            _ => name,
        };
    }

    char Peek(int ahead = 0) => _position + ahead < _source.Length ? _source[_position + ahead] : '\0';

    static string Quoted(char c) => char.IsLetterOrDigit(c) ? c.ToString() : $@"\u{(int)c:X4}";

    /// <summary>The letter in both cases, with the long s and the Kelvin sign that Unicode folds to s and k.</summary>
    static string BothCases(char c) => char.ToLowerInvariant(c) switch
    {
        's' => "sS\u017F",
        'k' => "kK\u212A",
        var lower => $"{lower}{char.ToUpperInvariant(c)}",
    };
}
