using System.Text.Json;

namespace Hearth.Text.Templates;

/// <summary>
/// What a template is rendered over. The special tokens are trusted; everything else that is text is user data,
/// and stays it through every operation of the template.
/// </summary>
public sealed record TemplateContext
{
    public required IReadOnlyList<TemplateMessage> Messages { get; init; }

    /// <summary>Tool definitions, a JSON array; None when absent, as apply_chat_template passes it.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Documents for retrieval, a JSON array; None when absent.</summary>
    public JsonElement? Documents { get; init; }

    /// <summary>Whether the prompt ends with the opening of the assistant's turn.</summary>
    public bool AddGenerationPrompt { get; init; }

    public string? BosToken { get; init; }

    public string? EosToken { get; init; }

    public string? PadToken { get; init; }

    public string? UnkToken { get; init; }

    /// <summary>Further variables of the caller (chat_template_kwargs), such as enable_thinking.</summary>
    public IReadOnlyDictionary<string, JsonElement> Variables { get; init; } = new Dictionary<string, JsonElement>();

    /// <summary>What strftime_now formats: the wall clock of the caller's TimeProvider.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>The variables by name; a later one hides an earlier one, so that nobody hides the messages.</summary>
    internal IEnumerable<KeyValuePair<string, Value>> ToVariables()
    {
        foreach (var (name, value) in Variables)
            yield return KeyValuePair.Create(name, Json.Read(value));
        yield return Pair("messages", SequenceValue.List([.. Messages.Select(message => message.Value)]));
        yield return Pair("tools", Tools is { } tools ? Json.Read(tools) : NoneValue.Instance);
        yield return Pair("documents", Documents is { } documents ? Json.Read(documents) : NoneValue.Instance);
        yield return Pair("add_generation_prompt", BoolValue.Of(AddGenerationPrompt));
        foreach (var (name, token) in new[]
        {
            ("bos_token", BosToken), ("eos_token", EosToken), ("pad_token", PadToken), ("unk_token", UnkToken),
        })
        {
            if (token is not null)
                yield return Pair(name, StrValue.Template(token));
        }
    }

    static KeyValuePair<string, Value> Pair(string name, Value value) => KeyValuePair.Create(name, value);
}
