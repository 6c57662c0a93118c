using System.Numerics;

namespace Hearth.Text.Templates;

/// <summary>What filters and methods of strings share. Positions are UTF-16; every character keeps its kind.</summary>
static class Strings
{
    public static StrValue Strip(StrValue value, StrValue? characters, bool atStart = true, bool atEnd = true)
    {
        var text = value.Text;
        int start = 0, end = text.Length;
        while (atStart && start < end && Strips(characters, text, start))
            start += StrValue.Width(text, start);
        while (atEnd && end > start)
        {
            var width = end - 2 >= start && char.IsSurrogatePair(text[end - 2], text[end - 1]) ? 2 : 1;
            if (!Strips(characters, text, end - width))
                break;
            end -= width;
        }
        return value.Part(start, end);
    }

    public static StrValue Replace(Run run, StrValue value, StrValue old, StrValue replacement, int count)
    {
        var left = count < 0 ? int.MaxValue : count;
        if (old.Text.Length == 0)
            return Interleave(run, value, replacement, left);
        var result = new StrBuilder(run);
        var from = 0;
        for (; left > 0; left--)
        {
            var at = value.Text.IndexOf(old.Text, from, StringComparison.Ordinal);
            if (at < 0)
                break;
            result.Append(value, from, at).Append(replacement);
            from = at + old.Text.Length;
        }
        return from == 0 && result.Length == 0 ? value : result.Append(value, from, value.Text.Length).ToStr();
    }

    /// <summary>split() on white space when there is no separator.</summary>
    public static SequenceValue Split(Run run, StrValue value, StrValue? separator, int limit)
    {
        var left = limit < 0 ? int.MaxValue : limit;
        var parts = separator is null ? SplitSpace(value, left) : SplitOn(value, NotEmpty(separator).Text, left);
        return Collect(run, parts);
    }

    public static SequenceValue SplitFromEnd(Run run, StrValue value, StrValue? separator, int limit)
    {
        var left = limit < 0 ? int.MaxValue : limit;
        var parts = new List<Value>();
        var end = value.Text.Length;
        if (separator is null)
        {
            while ((end = Strip(value.Part(0, end), null, atStart: false).Text.Length) > 0 && left-- > 0)
            {
                var start = end;
                while (start > 0 && !Characters.IsSpace(value.Text[start - 1]))
                    start--;
                run.Spend(1);
                parts.Add(value.Part(start, end));
                end = start;
            }
            if (end > 0)
                parts.Add(value.Part(0, end));
        }
        else
        {
            var word = NotEmpty(separator).Text;
            for (int at; left > 0 && end >= word.Length; left--, end = at)
            {
                at = value.Text.AsSpan(0, end).LastIndexOf(word, StringComparison.Ordinal);
                if (at < 0)
                    break;
                parts.Add(value.Part(at + word.Length, end));
            }
            parts.Add(value.Part(0, end));
        }
        parts.Reverse();
        return Collect(run, parts);
    }

    public static SequenceValue SplitLines(Run run, StrValue value, bool keepEnds = false)
    {
        var text = value.Text;
        var lines = new List<Value>();
        for (var start = 0; start < text.Length;)
        {
            var end = start;
            while (end < text.Length && !Characters.IsLineBreak(text[end]))
                end++;
            var isPair = end + 1 < text.Length && text[end] == '\r' && text[end + 1] == '\n';
            var next = Math.Min(text.Length, end + (isPair ? 2 : 1));
            lines.Add(value.Part(start, keepEnds ? next : end));
            start = next;
        }
        return Collect(run, lines);
    }

    public static StrValue Join(Run run, StrValue separator, IReadOnlyList<Value> values, Func<Value, int, StrValue> toText)
    {
        var result = new StrBuilder(run);
        for (var i = 0; i < values.Count; i++)
        {
            if (i > 0)
                result.Append(separator);
            run.Spend(1);
            result.Append(toText(values[i], i));
        }
        return result.ToStr();
    }

    public static StrValue Capitalize(Run run, StrValue value) =>
        Characters.Map(run, value, static (text, i) => i == 0 ? Characters.Title(text, i) : Characters.Lower(text, i));

    /// <summary>str.title(): a letter after something that is no letter is titled, the rest is lower case.</summary>
    public static StrValue Title(Run run, StrValue value) => Characters.Map(run, value, static (text, i) =>
        i > 0 && Characters.IsCased(text, i - 1) ? Characters.Lower(text, i) : Characters.Title(text, i));

    /// <summary>The title filter: words begin after white space and - ( { [ and &lt;.</summary>
    public static StrValue TitleWords(Run run, StrValue value) => Characters.Map(run, value, static (text, i) =>
        i == 0 || Characters.IsSpace(text[i - 1]) || text[i - 1] is '-' or '(' or '{' or '[' or '<'
            ? Characters.Upper(text, i)
            : Characters.Lower(text, i));

    /// <summary>Fills up to a width in code points; the shares say how much goes to the left.</summary>
    public static StrValue Pad(Run run, StrValue value, int width, Func<int, int> leftShare, StrValue? fill = null)
    {
        var missing = Math.Max(0, width - value.CodePoints);
        if (missing == 0)
            return value;
        fill ??= StrValue.Template(" ");
        if (fill.CodePoints != 1)
            throw EvaluationError.Runtime("The fill character must be exactly one character long");
        var left = leftShare(missing);
        return new StrBuilder(run).Append(fill, left).Append(value).Append(fill, missing - left).ToStr();
    }

    /// <summary>str.center's share of the left side.</summary>
    public static Func<int, int> CenterShare(int width) => missing => (missing / 2) + (missing & width & 1);

    /// <summary>A range of UTF-16 positions from Python's optional start and end; null when it is empty backwards.</summary>
    public static (int Start, int End)? Range(StrValue value, Value? start, Value? end)
    {
        var length = value.CodePoints;
        var from = Clamp(start, 0);
        var to = Clamp(end, length);
        return from > to ? null : (value.Offset(from), value.Offset(to));

        int Clamp(Value? bound, int otherwise)
        {
            if (bound is null or NoneValue)
                return otherwise;
            if (!Operators.IsInt(bound, out var number))
                throw EvaluationError.Runtime("slice indices must be integers or None or have an __index__ method");
            return (int)BigInteger.Clamp(number < 0 ? number + length : number, 0, length);
        }
    }

    static bool Strips(StrValue? characters, string text, int at)
    {
        if (characters is null)
            return Characters.IsSpace(text[at]);
        return StrValue.Width(text, at) == 2
            ? characters.Text.Contains(text.Substring(at, 2), StringComparison.Ordinal)
            : characters.Text.Contains(text[at]);
    }

    static IEnumerable<Value> SplitSpace(StrValue value, int left)
    {
        var text = value.Text;
        var at = 0;
        while (true)
        {
            while (at < text.Length && Characters.IsSpace(text[at]))
                at++;
            if (at == text.Length)
                yield break;
            var end = at;
            while (end < text.Length && !Characters.IsSpace(text[end]))
                end++;
            if (left-- == 0)
            {
                yield return value.Part(at, text.Length);
                yield break;
            }
            yield return value.Part(at, end);
            at = end;
        }
    }

    static IEnumerable<Value> SplitOn(StrValue value, string separator, int left)
    {
        var from = 0;
        for (; left > 0; left--)
        {
            var at = value.Text.IndexOf(separator, from, StringComparison.Ordinal);
            if (at < 0)
                break;
            yield return value.Part(from, at);
            from = at + separator.Length;
        }
        yield return value.Part(from, value.Text.Length);
    }

    static SequenceValue Collect(Run run, IEnumerable<Value> parts)
    {
        var collected = new List<Value>();
        foreach (var part in parts)
        {
            run.SpendText(((StrValue)part).Text.Length);
            collected.Add(part);
        }
        return SequenceValue.List([.. collected]);
    }

    static StrValue Interleave(Run run, StrValue value, StrValue replacement, int left)
    {
        var result = new StrBuilder(run);
        foreach (var character in value.Iterate(run))
        {
            if (left-- > 0)
                result.Append(replacement);
            result.Append((StrValue)character);
        }
        return (left > 0 ? result.Append(replacement) : result).ToStr();
    }

    static StrValue NotEmpty(StrValue separator) =>
        separator.Text.Length > 0 ? separator : throw EvaluationError.Runtime("empty separator");
}
