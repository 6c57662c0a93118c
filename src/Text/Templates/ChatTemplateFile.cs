using System.Text.Json;

namespace Hearth.Text.Templates;

/// <summary>
/// The chat template of a checkpoint folder and its special tokens, found as Hugging Face finds them:
/// chat_template.jinja, else "chat_template" of tokenizer_config.json, which may be a list of named templates.
/// </summary>
public sealed record ChatTemplateFile
{
    public required ChatTemplate Default { get; init; }

    /// <summary>The template for requests with tools, where the checkpoint has one of its own.</summary>
    public ChatTemplate? ToolUse { get; init; }

    public string? BosToken { get; init; }

    public string? EosToken { get; init; }

    public string? PadToken { get; init; }

    public string? UnkToken { get; init; }

    /// <summary>The template for a request with or without tools.</summary>
    public ChatTemplate For(bool withTools) => withTools && ToolUse is not null ? ToolUse : Default;

    /// <summary>Null when the folder has no chat template.</summary>
    /// <exception cref="TemplateException">A template does not parse.</exception>
    /// <exception cref="InvalidDataException">A JSON file is malformed or too large.</exception>
    public static ChatTemplateFile? Load(string directory)
    {
        var config = ReadJson(Path.Combine(directory, "tokenizer_config.json"));
        var tokens = ReadJson(Path.Combine(directory, "special_tokens_map.json"));
        var (main, toolUse) = FindTemplates(directory, config);
        if (main is null)
            return null;
        return new ChatTemplateFile
        {
            Default = main,
            ToolUse = toolUse,
            BosToken = Token("bos_token"),
            EosToken = Token("eos_token"),
            PadToken = Token("pad_token"),
            UnkToken = Token("unk_token"),
        };

        string? Token(string name) => TokenText(config, name) ?? TokenText(tokens, name);
    }

    static (ChatTemplate? Main, ChatTemplate? ToolUse) FindTemplates(string directory, JsonElement config)
    {
        var path = Path.Combine(directory, "chat_template.jinja");
        if (File.Exists(path))
        {
            CheckSize(path);
            return (ChatTemplate.Parse(File.ReadAllText(path), path), null);
        }
        var source = Path.Combine(directory, "tokenizer_config.json");
        if (config.ValueKind != JsonValueKind.Object || !config.TryGetProperty("chat_template", out var template))
            return (null, null);
        if (template.ValueKind == JsonValueKind.String)
            return (ChatTemplate.Parse(template.GetString()!, source), null);
        if (template.ValueKind != JsonValueKind.Array)
            return (null, null);
        var main = Named("default")
            ?? throw new InvalidDataException($"{source}: chat_template has no template named \"default\"");
        return (main, Named("tool_use"));

        ChatTemplate? Named(string name)
        {
            var found = template.EnumerateArray().FirstOrDefault(entry =>
                entry.ValueKind == JsonValueKind.Object && Text(entry, "name") == name);
            return Text(found, "template") is { } text ? ChatTemplate.Parse(text, $"{source}#{name}") : null;
        }
    }

    /// <summary>A special token: a string, or an object with its "content".</summary>
    static string? TokenText(JsonElement file, string name) =>
        file.ValueKind == JsonValueKind.Object && file.TryGetProperty(name, out var token)
            && token.ValueKind == JsonValueKind.Object
            ? Text(token, "content")
            : Text(file, name);

    static string? Text(JsonElement element, string name) => element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    static JsonElement ReadJson(string path)
    {
        if (!File.Exists(path))
            return default;
        CheckSize(path);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.Clone();
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path} is not valid JSON: {error.Message}", error);
        }
    }

    static void CheckSize(string path)
    {
        if (new FileInfo(path).Length > TemplateLimits.ConfigFileLength)
            throw new InvalidDataException($"{path} is larger than {TemplateLimits.ConfigFileLength} bytes");
    }
}
