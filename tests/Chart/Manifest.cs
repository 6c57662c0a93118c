using System.Text.Json.Nodes;

namespace Hearth.Chart.Tests;

/// <summary>An object of Kubernetes, and the words to ask it.</summary>
sealed record Manifest(JsonNode Json)
{
    public string Kind => Text("kind");
    public string Name => Text("metadata.name");
    public string Id => $"{Kind}/{Name}";

    /// <summary>The pod that it makes, with its metadata; null if it makes none.</summary>
    public JsonNode? Pod => Kind switch
    {
        "Pod" => Json,
        "Deployment" or "StatefulSet" => At("spec.template"),
        _ => null,
    };

    public IReadOnlyDictionary<string, string> PodLabels => Map(Pod!["metadata"]!["labels"]);

    /// <summary>Containers of all kinds.</summary>
    public IEnumerable<JsonNode> Containers => Pod is not { } pod ? [] : List(pod["spec"]!["initContainers"]).Concat(Running);

    /// <summary>Those that go on.</summary>
    public IEnumerable<JsonNode> Running => Pod is not { } pod ? [] : List(pod["spec"]!["containers"]);

    public JsonNode? At(string path) => path.Split('.').Aggregate((JsonNode?)Json, (node, key) => node?[key]);

    public string Text(string path) => At(path)?.GetValue<string>() ?? "";

    public static IEnumerable<JsonNode> List(JsonNode? node) => node is JsonArray list ? list.OfType<JsonNode>() : [];

    public static string[] Texts(JsonNode? node) => [.. List(node).Select(n => n.GetValue<string>())];

    public static IReadOnlyDictionary<string, string> Map(JsonNode? node) =>
        node is JsonObject map ? map.ToDictionary(p => p.Key, p => p.Value!.GetValue<string>()) : new Dictionary<string,
            string>();

    public static bool Matches(JsonNode? selector, IReadOnlyDictionary<string, string> labels) =>
        Map(selector) is { Count: > 0 } wanted && wanted.All(p => labels.TryGetValue(p.Key, out var value) && value == p.Value);
}
