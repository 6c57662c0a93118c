using System.Text;
using System.Text.Json;
using Hearth.Text.Tokenizers;

namespace Hearth.Text.Templates;

/// <summary>
/// The chat template of a checkpoint folder and its special tokens, found as Hugging Face finds them:
/// chat_template.jinja, else "chat_template" of tokenizer_config.json, which may be a list of named templates.
/// </summary>
public sealed record ChatTemplateFile
{
    static readonly UTF8Encoding _utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

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
    /// <exception cref="TokenizerException">A file is malformed or too large.</exception>
    public static ChatTemplateFile? Load(string directory)
    {
        using var configFile = JsonFile.Read(Path.Combine(directory, "tokenizer_config.json"));
        using var tokensFile = JsonFile.Read(Path.Combine(directory, "special_tokens_map.json"));
        var (config, tokens) = (configFile?.Root, tokensFile?.Root);
        config?.Expect(JsonValueKind.Object);
        tokens?.Expect(JsonValueKind.Object);
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

        string? Token(string name) => TokenText(config?[name]) ?? TokenText(tokens?[name]);
    }

    /// <summary>The templates of a GGUF file; null when it has none.</summary>
    /// <exception cref="TemplateException">A template does not parse.</exception>
    public static ChatTemplateFile? Load(GgufVocabulary vocabulary) => vocabulary.ChatTemplate is not { } source
        ? null
        : new ChatTemplateFile
        {
            Default = ChatTemplate.Parse(source, vocabulary.File),
            ToolUse = vocabulary.ToolTemplate is { } tools ? ChatTemplate.Parse(tools, $"{vocabulary.File}#tool_use") : null,
            BosToken = vocabulary.TokenOf(vocabulary.Bos),
            EosToken = vocabulary.TokenOf(vocabulary.Eos),
            PadToken = vocabulary.TokenOf(vocabulary.Padding),
            UnkToken = vocabulary.TokenOf(vocabulary.Unknown),
        };

    static (ChatTemplate? Main, ChatTemplate? ToolUse) FindTemplates(string directory, JsonField? config)
    {
        var path = Path.Combine(directory, "chat_template.jinja");
        // No character takes more than four bytes.
        if (PlainFile.Read(path, 4L * TemplateLimits.SourceLength) is { } bytes)
            return (ChatTemplate.Parse(Utf8(path, bytes), path), null);
        if (config?["chat_template"] is not { IsNull: false } field)
            return (null, null);
        if (field.Kind != JsonValueKind.Array)
            return (ChatTemplate.Parse(Source(field), field.File), null);
        var named = new Dictionary<string, JsonField>(StringComparer.Ordinal);
        foreach (var entry in field.Items(TemplateLimits.NamedTemplates))
        {
            if (!named.TryAdd(entry["name"].Text(), entry["template"]))
                throw entry["name"].Error("is given twice");
        }
        return (Named("default") ?? throw field.Error("has no template named 'default'"), Named("tool_use"));

        ChatTemplate? Named(string name) =>
            named.TryGetValue(name, out var source) ? ChatTemplate.Parse(Source(source), $"{field.File}#{name}") : null;
    }

    static string Source(JsonField field) => field.Text(TemplateLimits.SourceLength);

    /// <summary>A special token: a string, or an object with its "content".</summary>
    static string? TokenText(JsonField? field) => field switch
    {
        { Kind: JsonValueKind.String } token => token.Text(),
        { Kind: JsonValueKind.Object } token when token["content"] is { Kind: JsonValueKind.String } content => content.Text(),
        _ => null,
    };

    static string Utf8(string path, ReadOnlySpan<byte> bytes)
    {
        try
        {
            return _utf8.GetString(bytes.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new TokenizerException(path, "", "is not UTF-8 text", e);
        }
    }
}
