using System.Text.RegularExpressions;

namespace Hearth.Operate.Tests;

/// <summary>The names in a PromQL expression: metrics with what is asked of their labels, and labels that are grouped
/// by.</summary>
sealed partial record Expression(IReadOnlyList<Expression.Selector> Selectors, IReadOnlyList<string> Grouping)
{
    public sealed record Selector(string Metric, IReadOnlyList<Matcher> Matchers);

    public sealed record Matcher(string Label, string Operator, string Value);

    static readonly HashSet<string> s_grouping = ["by", "without", "on", "ignoring", "group_left", "group_right"];
    static readonly HashSet<string> s_words = ["and", "or", "unless", "bool", "offset"];

    public static Expression Parse(string text)
    {
        var selectors = new List<Selector>();
        var grouping = new List<string>();
        var at = 0;
        while (Token().Match(text, at) is { Success: true } token)
        {
            at = token.Index + token.Length;
            if (token.Groups["name"] is not { Success: true, Value: var name })
                continue;
            if (s_grouping.Contains(name) && List().Match(text, at) is { Success: true } list)
            {
                grouping.AddRange(list.Groups["labels"].Value.Split(
                    ',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
                at = list.Index + list.Length;
            }
            else if (!s_words.Contains(name) && !s_grouping.Contains(name) && !Call().IsMatch(text, at))
            {
                var braces = Braces().Match(text, at);
                selectors.Add(new(name, [.. Match().Matches(braces.Groups["matchers"].Value)
                    .Select(m => new Matcher(m.Groups["label"].Value, m.Groups["operator"].Value, m.Groups["value"].Value))]));
                at = braces.Success ? braces.Index + braces.Length : at;
            }
        }
        return new(selectors, grouping);
    }

    /// <summary>A word, or something to be passed over: a string, a range, a number.</summary>
    [GeneratedRegex("""
        (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[0-9][0-9a-zA-Z.]*
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Token();

    [GeneratedRegex(@"\G\s*\((?<labels>[^)]*)\)")]
    private static partial Regex List();

    /// <summary>A function's or an aggregation's name, with its labels before or after what it is of.</summary>
    [GeneratedRegex(@"\G\s*(\(|(by|without)\b)")]
    private static partial Regex Call();

    [GeneratedRegex("""\G\s*\{(?<matchers>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\}""")]
    private static partial Regex Braces();

    [GeneratedRegex("""
        (?<label>[a-zA-Z_]\w*)\s*(?<operator>=~|!~|!=|=)\s*"(?<value>(?:[^"\\]|\\.)*)"
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Match();
}
