using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>Every value has a line that says what it is, a place in the schema, and a row in the README.</summary>
public sealed partial class ValuesTests
{
    const string Begin = "<!-- values -->\n", End = "<!-- end of values -->";

    [Fact]
    public async Task TheReadmeListsEveryValue()
    {
        var path = Path.Combine(Tools.Chart, "README.md");
        var readme = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
        var (from, to) = (readme.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length, readme.IndexOf(End,
            StringComparison.Ordinal));
        await GoldenTests.SameAsync(readme[..from] + Table() + readme[to..], path);
    }

    [Fact]
    public void TheSchemaKnowsEveryValueAndNoOther()
    {
        var schema = JsonNode.Parse(File.ReadAllText(Path.Combine(Tools.Chart, "values.schema.json")))!;
        var known = Leaves(schema, "").Where(k => k != "global").ToHashSet();
        Assert.Equal(Values().Select(v => v.Key).Order(StringComparer.Ordinal), known.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void EveryValueIsDescribed() => Assert.Empty(Values().Where(v => v.Text.Length == 0).Select(v => v.Key));

    static string Table()
    {
        var table = new StringBuilder("| value | default | meaning |\n| --- | --- | --- |\n");
        foreach (var (key, value, text) in Values())
            table.Append($"| `{key}` | `{value}` | {text.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        return table.ToString();
    }

    static IEnumerable<string> Leaves(JsonNode schema, string path) => schema["properties"] is JsonObject properties
        ? properties.SelectMany(p => Leaves(p.Value!, path.Length == 0 ? p.Key : $"{path}.{p.Key}"))
        : [path];

    /// <summary>Keys, defaults and descriptions; a value that is described is shown as a whole.</summary>
    static List<(string Key, string Value, string Text)> Values()
    {
        var lines = File.ReadAllLines(Path.Combine(Tools.Chart, "values.yaml"));
        var root = Yaml.Read(string.Join('\n', lines)).Single();
        var (path, text, found) = (new List<string>(), new List<string>(), new List<(string, string, string)>());
        foreach (var line in lines)
        {
            var trimmed = line.Trim();
            if (trimmed.StartsWith('#'))
            {
                if (trimmed.StartsWith("# -- ", StringComparison.Ordinal))
                    text = [trimmed[5..]];
                else if (text.Count > 0)
                    text.Add(trimmed[1..].Trim());
            }
            else if (KeyLine().Match(line) is { Success: true } key)
            {
                var depth = key.Groups[1].Length / 2;
                if (depth > path.Count || found.Exists(f => string.Join('.', path.Take(depth)) == f.Item1))
                    continue;
                path = [.. path.Take(depth), key.Groups[2].Value];
                var value = path.Aggregate(root, (node, k) => node[k]!);
                if (text.Count > 0 || value is not JsonObject { Count: > 0 })
                    found.Add((string.Join('.', path), Show(value), string.Join(' ', text)));
                text = [];
            }
        }
        return found;
    }

    static string Show(JsonNode? value) => value is JsonValue ? value.ToJsonString() : value?.ToJsonString() ?? "null";

    [GeneratedRegex("^( *)([A-Za-z0-9_./-]+):")]
    private static partial Regex KeyLine();
}
