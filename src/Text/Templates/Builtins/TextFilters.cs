using System.Text;

namespace Hearth.Text.Templates;

/// <summary>Filters over strings; what is no string is printed first, as in jinja2.</summary>
static class TextFilters
{
    public static readonly BuiltinTable Table = new()
    {
        { "string", "value", (run, c) => c.Soft(run, 0) },
        { "upper", "value", (run, c) => Characters.Upper(run, c.Soft(run, 0)) },
        { "lower", "value", (run, c) => Characters.Lower(run, c.Soft(run, 0)) },
        { "title", "value", (run, c) => Strings.TitleWords(run, c.Soft(run, 0)) },
        { "capitalize", "value", (run, c) => Strings.Capitalize(run, c.Soft(run, 0)) },
        { "trim", "value chars?", (run, c) => Strings.Strip(c.Soft(run, 0), TextOrNone(c, 1)) },
        { "replace", "value old new count?", Replace },
        { "center", "value width?", (run, c) => Center(run, c.Soft(run, 0), c.Int(1, 80)) },
        { "indent", "value width? first? blank?", Indent },
        { "truncate", "value length? killwords? end? leeway?", Truncate },
        { "wordwrap", "value width? break_long_words? wrapstring? break_on_hyphens?", WordWrap },
        { "wordcount", "value", (run, c) => IntValue.Of(CountWords(c.Soft(run, 0).Text)) },
        { "format", "value *", Format },
        { "escape", "value", (run, c) => c.Soft(run, 0).Escaped(run) },
        { "e", "value", (run, c) => c.Soft(run, 0).Escaped(run) },
        { "forceescape", "value", (run, c) => c.Soft(run, 0).AsPlain().Escaped(run) },
        { "safe", "value", (run, c) => c.Soft(run, 0).AsMarkup() },
        { "striptags", "value", StripTags },
        { "urlencode", "value", UrlEncode },
        { "xmlattr", "value autospace?", XmlAttributes },
        { "pprint", "value", (run, c) => Printer.Repr(run, c[0]) },
        { "tojson", "value ensure_ascii? indent? separators? sort_keys?", ToJson },
    };

    static StrValue? TextOrNone(Call call, int index) =>
        call.Optional(index) is null or NoneValue ? null : call.Text(index);

    static StrValue Replace(Run run, Call call) =>
        Strings.Replace(run, call.Soft(run, 0), call.Soft(run, 1), call.Soft(run, 2), call.Int(3, -1));

    static StrValue Center(Run run, StrValue value, int width) => Strings.Pad(run, value, width, Strings.CenterShare(width));

    static StrValue ToJson(Run run, Call call)
    {
        var indent = call.Optional(2) switch
        {
            null or NoneValue => null,
            StrValue text => text.Text,
            _ => new string(' ', Math.Clamp(call.Int(2), 0, TemplateLimits.Precision)),
        };
        var (item, key) = (indent is null ? ", " : ",", ": ");
        if (call.Optional(3) is SequenceValue { Values: [StrValue itemText, StrValue keyText] })
            (item, key) = (itemText.Text, keyText.Text);
        return Json.Write(run, call[0], new JsonStyle(indent, item, key, SortKeys: call.IsTrue(4), AsciiOnly: call.IsTrue(1)));
    }

    static StrValue Indent(Run run, Call call)
    {
        var value = call.Text(0);
        var width = call.Optional(1) as StrValue ?? new StrBuilder(run).Append(StrValue.Template(" "), call.Int(1, 4)).ToStr();
        var (first, blank) = (call.IsTrue(2), call.IsTrue(3));
        var newline = StrValue.Template("\n");
        var lines = Strings.SplitLines(run, new StrBuilder(run).Append(value).Append(newline).ToStr()).Values;
        return Strings.Join(run, newline, lines, (line, i) =>
            i == 0 ? (first ? Joined(run, width, (StrValue)line) : (StrValue)line)
            : blank || line.IsTrue ? Joined(run, width, (StrValue)line) : StrValue.Empty);
    }

    static StrValue Joined(Run run, StrValue left, StrValue right) => new StrBuilder(run).Append(left).Append(right).ToStr();

    static Value Truncate(Run run, Call call)
    {
        var (length, end) = (call.Int(1, 255), call.Soft(run, 3, "..."));
        if (length < end.CodePoints)
            throw EvaluationError.Runtime($"expected length >= {end.CodePoints}, got {length}");
        if (call[0].Length <= (long)length + call.Int(4, 5))
            return call[0];
        var value = call.Text(0);
        var kept = value.Part(0, value.Offset(length - end.CodePoints));
        var space = call.IsTrue(2) ? -1 : kept.Text.LastIndexOf(' ');
        return Joined(run, space < 0 ? kept : kept.Part(0, space), end);
    }

    static StrValue WordWrap(Run run, Call call)
    {
        var width = call.Int(1, 79);
        if (width <= 0)
            throw EvaluationError.Runtime($"invalid width {width} (must be > 0)");
        var newline = StrValue.Template("\n");
        var separator = TextOrNone(call, 3) ?? newline;
        var lines = Strings.SplitLines(run, call.Text(0)).Values;
        return Strings.Join(run, newline, lines, (line, _) =>
            Strings.Join(run, separator, Wrap(run, (StrValue)line, width, call.IsTrue(2, true)), (piece, _) => (StrValue)piece));
    }

    /// <summary>Python's textwrap: lines of at most so many characters, white space dropped where a line breaks.</summary>
    static List<Value> Wrap(Run run, StrValue line, int width, bool breakLongWords)
    {
        var characters = line.Iterate(run);
        var lines = new List<Value>();
        for (var at = 0; at < characters.Length;)
        {
            if (lines.Count > 0)
                at = SkipRun(characters, at, isSpace: true);
            var (start, end) = (at, at);
            while (end < characters.Length && RunEnd(characters, end) - start <= width)
                end = RunEnd(characters, end);
            var isLong = end < characters.Length && RunEnd(characters, end) - end > width;
            if (isLong && breakLongWords)
                end = start + width;
            else if (isLong && end == start)
                end = RunEnd(characters, end);
            at = end;
            while (end > start && IsSpace(characters[end - 1]))
                end--;
            run.SpendText(line.Text.Length);
            if (end > start)
                lines.Add(line.Part(line.Offset(start), line.Offset(end)));
        }
        return lines;
    }

    static bool IsSpace(Value character) => Characters.IsSpace(((StrValue)character).Text[0]);

    static int RunEnd(Value[] characters, int at) => SkipRun(characters, at, IsSpace(characters[at]));

    static int SkipRun(Value[] characters, int at, bool isSpace)
    {
        while (at < characters.Length && IsSpace(characters[at]) == isSpace)
            at++;
        return at;
    }

    static int CountWords(string text)
    {
        var count = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var isWord = char.IsLetterOrDigit(text[i]) || text[i] == '_';
            count += isWord && (i == 0 || !(char.IsLetterOrDigit(text[i - 1]) || text[i - 1] == '_')) ? 1 : 0;
        }
        return count;
    }

    static StrValue Format(Run run, Call call)
    {
        if (call.Rest.Named.Length == 0)
            return Printf.Format(run, call.Soft(run, 0), SequenceValue.Tuple(call.Rest.Positional));
        if (call.Rest.Positional.Length > 0)
            throw EvaluationError.Runtime("can't handle positional and keyword arguments at the same time");
        var named = new DictValue();
        foreach (var (key, value) in call.Rest.Named)
            named.Put(run, key, value);
        return Printf.Format(run, call.Soft(run, 0), named);
    }

    static StrValue StripTags(Run run, Call call)
    {
        var value = call.Soft(run, 0);
        var plain = new StrBuilder(run);
        for (var at = 0; at < value.Text.Length;)
        {
            var open = value.Text.IndexOf('<', at);
            var isComment = open >= 0 && string.CompareOrdinal(value.Text, open, "<!--", 0, 4) == 0;
            var mark = isComment ? "-->" : ">";
            var close = open < 0 ? -1 : value.Text.IndexOf(mark, open, StringComparison.Ordinal);
            plain.Append(value, at, close < 0 ? value.Text.Length : open);
            at = close < 0 ? value.Text.Length : close + mark.Length;
        }
        var words = Strings.Split(run, plain.ToStr(), null, -1).Values;
        var text = Strings.Join(run, StrValue.Template(" "), words, (word, _) => (StrValue)word);
        foreach (var (entity, character) in (ReadOnlySpan<(string, string)>)
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&")])
        {
            // What an entity turns into is as trusted as the text around it: data, unless all of it is template text.
            var replacement = text.IsTemplate ? StrValue.Template(character) : StrValue.Data(character);
            text = Strings.Replace(run, text, StrValue.Template(entity), replacement, -1);
        }
        return text;
    }

    static StrValue UrlEncode(Run run, Call call)
    {
        if (call[0] is StrValue text)
            return Quote(run, text, isQuery: false);
        if (call[0] is not (DictValue or SequenceValue))
            return Quote(run, call.Soft(run, 0), isQuery: false);
        var pairs = call[0] is DictValue dict ? dict.Pairs(run) : call[0].Elements(run);
        return Strings.Join(run, StrValue.Template("&"), pairs, (pair, _) => pair.Elements(run) is [var key, var value]
            ? new StrBuilder(run).Append(Quote(run, Printer.Str(run, key), isQuery: true)).Append("=", isTemplate: true)
                .Append(Quote(run, Printer.Str(run, value), isQuery: true)).ToStr()
            : throw EvaluationError.Runtime("urlencode expects pairs"));
    }

    static StrValue Quote(Run run, StrValue value, bool isQuery) => Characters.Map(run, value, (text, i) =>
    {
        if (char.IsAsciiLetterOrDigit(text[i]) || "_.-~".Contains(text[i]) || (text[i] == '/' && !isQuery))
            return text[i].ToString();
        if (text[i] == ' ' && isQuery)
            return "+";
        var bytes = Encoding.UTF8.GetBytes(text.Substring(i, StrValue.Width(text, i)));
        return string.Concat(bytes.Select(b => $"%{b:X2}"));
    });

    static StrValue XmlAttributes(Run run, Call call)
    {
        var pairs = call[0] is DictValue dict ? dict.Pairs(run) : throw EvaluationError.Runtime("xmlattr expects a mapping");
        var result = new StrBuilder(run);
        foreach (var pair in pairs.Cast<SequenceValue>())
        {
            var (key, value) = (pair.Values[0], pair.Values[1]);
            if (value is NoneValue or UndefinedValue)
                continue;
            if (result.Length > 0 || call.IsTrue(1, true))
                result.Append(" ", isTemplate: true);
            result.Append(Filters.Apply(run, "escape", key, Arguments.None) as StrValue ?? StrValue.Empty)
                .Append("=\"", isTemplate: true)
                .Append(Filters.Apply(run, "escape", value, Arguments.None) as StrValue ?? StrValue.Empty)
                .Append("\"", isTemplate: true);
        }
        return result.ToStr();
    }
}
