using System.Runtime.CompilerServices;
using System.Text.Json;
using Hearth.Text.Templates;

namespace Hearth.Text.Tests.Templates;

/// <summary>One case of a golden template: what transformers' jinja2 gave for a context.</summary>
sealed record GoldenCase(ChatTemplateSource Template, TemplateContext Context, string? Output, string? Message, string Label);

sealed record ChatTemplateSource(string Name, string Text);

/// <summary>The golden templates: HEARTH_GOLDEN, else tests/golden of the repository.</summary>
static class GoldenTemplates
{
    public static string Folder { get; } = Path.Combine(
        Environment.GetEnvironmentVariable("HEARTH_GOLDEN") ?? Path.Combine(RepositoryTests(), "golden"), "templates");

    public static IEnumerable<string> Names =>
        Directory.Exists(Folder) ? Directory.EnumerateDirectories(Folder).Select(f => Path.GetFileName(f)!).Order() : [];

    public static IReadOnlyList<GoldenCase> Cases(string name)
    {
        // The fixtures passed through a writer that drops the ".0" of a whole float; the reference had seen it.
        var json = File.ReadAllText(Path.Combine(Folder, name, "cases.json"))
            .Replace("2.5,-30000000000]", "2.5,-30000000000.0]", StringComparison.Ordinal);
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement.Clone();
        var now = DateTimeOffset.Parse(
            root.GetProperty("now").GetString()! + "Z", System.Globalization.CultureInfo.InvariantCulture);
        var path = Path.Combine(Folder, name, "template.jinja");
        var shared = File.Exists(path) ? File.ReadAllText(path) : null;
        return [.. root.GetProperty("cases").EnumerateArray().Select((entry, i) => new GoldenCase(
            new ChatTemplateSource(name, shared ?? entry.GetProperty("template").GetString()!),
            Context(entry.GetProperty("context"), now),
            Text(entry, "output"),
            Text(entry, "message"),
            $"{name}[{i}] {Text(entry, "name") ?? Text(entry, "template")}"))];
    }

    public static TemplateContext Context(JsonElement context, DateTimeOffset now) => new()
    {
        Messages = [.. context.GetProperty("messages").EnumerateArray().Select(TemplateMessage.FromJson)],
        Tools = Element(context, "tools"),
        Documents = Element(context, "documents"),
        AddGenerationPrompt = context.TryGetProperty("add_generation_prompt", out var add) && add.GetBoolean(),
        BosToken = Text(context, "bos_token"),
        EosToken = Text(context, "eos_token"),
        Variables = context.EnumerateObject()
            .Where(p => p.Name is not ("messages" or "tools" or "documents" or "add_generation_prompt"))
            .Where(p => p.Name is not ("bos_token" or "eos_token"))
            .ToDictionary(p => p.Name, p => p.Value),
        Now = now,
    };

    static JsonElement? Element(JsonElement context, string name) =>
        context.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    static string? Text(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    static string RepositoryTests([CallerFilePath] string path = "") =>
        Path.GetDirectoryName(Path.GetDirectoryName(Path.GetDirectoryName(path)!)!)!;
}
