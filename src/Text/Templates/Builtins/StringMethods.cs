using System.Globalization;

namespace Hearth.Text.Templates;

/// <summary>Methods of str.</summary>
static class StringMethods
{
    public static readonly BuiltinTable Table = new()
    {
        { "upper", "self", (run, c) => Characters.Upper(run, c.Text(0)) },
        { "lower", "self", (run, c) => Characters.Lower(run, c.Text(0)) },
        { "casefold", "self", (run, c) => Strings.Replace(run, Characters.Lower(run, c.Text(0)), Sharp, DoubleS, -1) },
        { "title", "self", (run, c) => Strings.Title(run, c.Text(0)) },
        { "capitalize", "self", (run, c) => Strings.Capitalize(run, c.Text(0)) },
        { "swapcase", "self", (run, c) => Characters.Map(run, c.Text(0), SwapCase) },
        { "strip", "self chars?", (_, c) => Strings.Strip(c.Text(0), Chars(c)) },
        { "lstrip", "self chars?", (_, c) => Strings.Strip(c.Text(0), Chars(c), atEnd: false) },
        { "rstrip", "self chars?", (_, c) => Strings.Strip(c.Text(0), Chars(c), atStart: false) },
        { "split", "self sep? maxsplit?", (run, c) => Strings.Split(run, c.Text(0), Chars(c), c.Int(2, -1)) },
        { "rsplit", "self sep? maxsplit?", (run, c) => Strings.SplitFromEnd(run, c.Text(0), Chars(c), c.Int(2, -1)) },
        { "splitlines", "self keepends?", (run, c) => Strings.SplitLines(run, c.Text(0), c.IsTrue(1)) },
        { "partition", "self sep", (_, c) => Partition(c.Text(0), c.Text(1), fromEnd: false) },
        { "rpartition", "self sep", (_, c) => Partition(c.Text(0), c.Text(1), fromEnd: true) },
        { "join", "self iterable", (run, c) => Strings.Join(run, c.Text(0), c[1].Elements(run), JoinItem) },
        { "replace", "self old new count?", (run, c) => Strings.Replace(run, c.Text(0), c.Text(1), c.Text(2), c.Int(3, -1)) },
        { "startswith", "self prefix start? end?", (run, c) => Affix(run, c, static (s, a) => s.StartsWith(a)) },
        { "endswith", "self suffix start? end?", (run, c) => Affix(run, c, static (s, a) => s.EndsWith(a)) },
        { "removeprefix", "self prefix", (_, c) => RemovePrefix(c.Text(0), c.Text(1).Text) },
        { "removesuffix", "self suffix", (_, c) => RemoveSuffix(c.Text(0), c.Text(1).Text) },
        { "find", "self sub start? end?", (run, c) => Numeral(Find(run, c, fromEnd: false)) },
        { "rfind", "self sub start? end?", (run, c) => Numeral(Find(run, c, fromEnd: true)) },
        { "index", "self sub start? end?", (run, c) => Numeral(Found(Find(run, c, fromEnd: false))) },
        { "rindex", "self sub start? end?", (run, c) => Numeral(Found(Find(run, c, fromEnd: true))) },
        { "count", "self sub start? end?", Count },
        { "ljust", "self width fillchar?", (run, c) => Strings.Pad(run, c.Text(0), c.Int(1), _ => 0, Fill(c)) },
        { "rjust", "self width fillchar?", (run, c) => Strings.Pad(run, c.Text(0), c.Int(1), missing => missing, Fill(c)) },
        { "center", "self width fillchar?", Center },
        { "zfill", "self width", (run, c) => ZeroFill(run, c.Text(0), c.Int(1)) },
        { "expandtabs", "self tabsize?", ExpandTabs },
        { "format", "self *", (run, c) => StrFormat.Format(run, c.Text(0), c.Rest) },
        { "isdigit", "self", (_, c) => BoolValue.Of(All(c.Text(0).Text, IsDigit)) },
        { "isdecimal", "self", (_, c) => BoolValue.Of(All(c.Text(0).Text, char.IsDigit)) },
        { "isnumeric", "self", (_, c) => BoolValue.Of(All(c.Text(0).Text, static (s, i) => char.GetNumericValue(s, i) >= 0)) },
        { "isalpha", "self", (_, c) => BoolValue.Of(All(c.Text(0).Text, char.IsLetter)) },
        { "isalnum", "self", (_, c) => BoolValue.Of(All(c.Text(0).Text, IsLetterOrNumber)) },
        { "isspace", "self", (_, c) => BoolValue.Of(All(c.Text(0).Text, static (s, i) => Characters.IsSpace(s[i]))) },
        { "isascii", "self", (_, c) => BoolValue.Of(c.Text(0).Text.All(char.IsAscii)) },
        { "isupper", "self", (_, c) => BoolValue.Of(IsCase(c.Text(0).Text, upper: true)) },
        { "islower", "self", (_, c) => BoolValue.Of(IsCase(c.Text(0).Text, upper: false)) },
        { "istitle", "self", (run, c) => BoolValue.Of(IsTitle(run, c.Text(0))) },
        { "encode", "self *", (_, _) => throw EvaluationError.Runtime("bytes are not part of this template language") },
    };

    static StrValue Sharp => StrValue.Template("ß");

    static StrValue DoubleS => StrValue.Template("ss");

    public static bool IsCase(string text, bool upper)
    {
        var seen = false;
        for (var i = 0; i < text.Length; i += StrValue.Width(text, i))
        {
            if (upper ? char.IsLower(text, i) : char.IsUpper(text, i))
                return false;
            seen |= upper ? char.IsUpper(text, i) : char.IsLower(text, i);
        }
        return seen;
    }

    static StrValue Center(Run run, Call call) =>
        Strings.Pad(run, call.Text(0), call.Int(1), Strings.CenterShare(call.Int(1)), Fill(call));

    static bool IsDigit(string text, int i) => CharUnicodeInfo.GetDigitValue(text, i) >= 0;

    static bool IsLetterOrNumber(string text, int i) => char.IsLetter(text, i) || char.GetNumericValue(text, i) >= 0;

    static bool IsTitle(Run run, StrValue value) =>
        value.Text.Any(char.IsLetter) && Strings.Title(run, value).Text == value.Text;

    static string SwapCase(string text, int i) => char.IsUpper(text, i) ? Characters.Lower(text, i) : Characters.Upper(text, i);

    static StrValue? Chars(Call call) => call.Optional(1) is null or NoneValue ? null : call.Text(1);

    static StrValue? Fill(Call call) => call.Optional(2) is null ? null : call.Text(2);

    static IntValue Numeral(int number) => number < 0 ? new IntValue(number) : IntValue.Of(number);

    static int Found(int index) => index >= 0 ? index : throw EvaluationError.Runtime("substring not found");

    static StrValue JoinItem(Value value, int index) => value as StrValue ?? throw EvaluationError.Runtime(
        $"sequence item {index}: expected str instance, {value.TypeName} found");

    static int Find(Run run, Call call, bool fromEnd)
    {
        var (value, part) = (call.Text(0), call.Text(1).Text);
        run.SpendText(value.Text.Length);
        if (Strings.Range(value, call.Optional(2), call.Optional(3)) is not (int start, int end))
            return -1;
        var range = value.Text.AsSpan(start, end - start);
        var at = fromEnd ? range.LastIndexOf(part, StringComparison.Ordinal) : range.IndexOf(part, StringComparison.Ordinal);
        return at < 0 ? -1 : value.Index(start + at);
    }

    static IntValue Count(Run run, Call call)
    {
        var (value, part) = (call.Text(0), call.Text(1).Text);
        run.SpendText(value.Text.Length);
        if (Strings.Range(value, call.Optional(2), call.Optional(3)) is not (int start, int end))
            return IntValue.Of(0);
        var range = value.Part(start, end);
        if (part.Length == 0)
            return IntValue.Of(range.CodePoints + 1);
        var count = 0;
        for (var at = range.Text.IndexOf(part, StringComparison.Ordinal); at >= 0;
            at = range.Text.IndexOf(part, at + part.Length, StringComparison.Ordinal))
        {
            count++;
        }
        return IntValue.Of(count);
    }

    delegate bool AffixTest(ReadOnlySpan<char> text, ReadOnlySpan<char> affix);

    static BoolValue Affix(Run run, Call call, AffixTest test)
    {
        var value = call.Text(0);
        run.SpendText(value.Text.Length);
        if (Strings.Range(value, call.Optional(2), call.Optional(3)) is not (int start, int end))
            return BoolValue.False;
        Value[] affixes = call[1] is SequenceValue { Kind: SequenceKind.Tuple } tuple ? tuple.Values : [call.Text(1)];
        return BoolValue.Of(affixes.Any(affix => affix is StrValue text
            ? test(value.Text.AsSpan(start, end - start), text.Text)
            : throw EvaluationError.Runtime($"a tuple of str is expected, not {affix.TypeName}")));
    }

    static SequenceValue Partition(StrValue value, StrValue separator, bool fromEnd)
    {
        var (text, part) = (value.Text, separator.Text);
        if (part.Length == 0)
            throw EvaluationError.Runtime("empty separator");
        var at = fromEnd ? text.LastIndexOf(part, StringComparison.Ordinal) : text.IndexOf(part, StringComparison.Ordinal);
        if (at < 0)
        {
            return fromEnd
                ? SequenceValue.Tuple(StrValue.Empty, StrValue.Empty, value)
                : SequenceValue.Tuple(value, StrValue.Empty, StrValue.Empty);
        }
        var after = at + part.Length;
        return SequenceValue.Tuple(value.Part(0, at), value.Part(at, after), value.Part(after, text.Length));
    }

    static StrValue RemovePrefix(StrValue value, string prefix) =>
        value.Text.StartsWith(prefix, StringComparison.Ordinal) ? value.Part(prefix.Length, value.Text.Length) : value;

    static StrValue RemoveSuffix(StrValue value, string suffix) =>
        value.Text.EndsWith(suffix, StringComparison.Ordinal) ? value.Part(0, value.Text.Length - suffix.Length) : value;

    static StrValue ZeroFill(Run run, StrValue value, int width)
    {
        var signs = value.Text.Length > 0 && value.Text[0] is '+' or '-' ? 1 : 0;
        return new StrBuilder(run).Append(value, 0, signs)
            .Append(StrValue.Template("0"), Math.Max(0, width - value.CodePoints))
            .Append(value, signs, value.Text.Length).ToStr();
    }

    static StrValue ExpandTabs(Run run, Call call)
    {
        var (value, size) = (call.Text(0), call.Int(1, 8));
        var result = new StrBuilder(run);
        var column = 0;
        for (var i = 0; i < value.Text.Length; i++)
        {
            var c = value.Text[i];
            var spaces = c == '\t' && size > 0 ? size - (column % size) : 0;
            if (c == '\t')
                result.Append(StrValue.Template(" "), spaces);
            else
                result.Append(value, i, i + 1);
            column = c is '\n' or '\r' ? 0 : column + (c == '\t' ? spaces : 1);
        }
        return result.ToStr();
    }

    static bool All(string text, Func<string, int, bool> test)
    {
        for (var i = 0; i < text.Length; i += StrValue.Width(text, i))
        {
            if (!test(text, i))
                return false;
        }
        return text.Length > 0;
    }
}
