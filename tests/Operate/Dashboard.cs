using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;

namespace Hearth.Operate.Tests;

/// <summary>A Grafana dashboard as its file says.</summary>
sealed record Dashboard(string File, JsonNode Json)
{
    public string Title => Text(Json["title"]);
    public IReadOnlyList<JsonNode> Panels => [.. Json["panels"]!.AsArray().Select(p => p!)];

    public static IReadOnlyList<Dashboard> All { get; } =
    [
        .. Directory.GetFiles(Path.Combine(HearthNode.Root, "helm", "hearth", "dashboards"), "*.json").Order()
            .Select(file => new Dashboard(Path.GetFileName(file), JsonNode.Parse(System.IO.File.ReadAllText(file))!)),
    ];

    /// <summary>Every query of every panel, its variables filled in as Grafana does with "All" chosen.</summary>
    public IReadOnlyList<Query> Queries =>
    [
        .. from panel in Panels
           from target in panel["targets"]?.AsArray() ?? []
           select new Query(Title, Text(panel["title"]), Text(target["legendFormat"]), Filled(Text(target["expr"])),
               Text(panel["fieldConfig"]!["defaults"]!["unit"])),
        .. from annotation in Json["annotations"]!["list"]!.AsArray()
           select new Query(Title, $"annotation: {Text(annotation["name"])}", "", Filled(Text(annotation["expr"])), "none"),
    ];

    public static string Text(JsonNode? value) => value?.GetValue<string>() ?? "";

    static string Filled(string expression) => expression.Replace("$namespace", ".*", StringComparison.Ordinal)
        .Replace("$model", ".*", StringComparison.Ordinal).Replace("$__rate_interval", "1m", StringComparison.Ordinal);
}

sealed record Query(string Dashboard, string Panel, string Legend, string Expression, string Unit)
{
    public bool IsAnnotation => Panel.StartsWith("annotation", StringComparison.Ordinal);
    public string Label => $"{Dashboard} / {Panel}{(Legend.Length > 0 ? $" ({Legend})" : "")}";
}
