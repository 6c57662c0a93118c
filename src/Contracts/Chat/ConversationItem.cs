using System.Text.Json.Serialization;

namespace Hearth.Contracts;

/// <summary>One entry of a conversation, in the shape of OpenAI's Responses API, with an id that never changes.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(MessageItem), "message")]
[JsonDerivedType(typeof(FunctionCallItem), "function_call")]
[JsonDerivedType(typeof(FunctionCallOutputItem), "function_call_output")]
[JsonDerivedType(typeof(ReasoningItem), "reasoning")]
public abstract record ConversationItem
{
    /// <summary>Stable id (<c>msg_…</c>, <c>fc_…</c>, <c>rs_…</c>); given by the grain when the client gave none.</summary>
    public string? Id { get; init; }
}

public sealed record MessageItem : ConversationItem
{
    public required Role Role { get; init; }
    public required IReadOnlyList<ContentPart> Content { get; init; }

    /// <summary>The participant's name, when the client gave one.</summary>
    public string? Name { get; init; }

    public ItemStatus Status { get; init; } = ItemStatus.Completed;

    public static MessageItem Of(Role role, string text) =>
        new() { Role = role, Content = [new(role == Role.Assistant ? ContentKind.OutputText : ContentKind.InputText, text)] };

    /// <summary>All text parts in order, without a separator.</summary>
    [JsonIgnore]
    public string Text => Content is [var only] ? only.Text : string.Concat(Content.Select(p => p.Text));
}

public sealed record FunctionCallItem : ConversationItem
{
    public required string CallId { get; init; }
    public required string Name { get; init; }

    /// <summary>The arguments as the model wrote them: a JSON text, perhaps malformed.</summary>
    public required string Arguments { get; init; }
}

public sealed record FunctionCallOutputItem : ConversationItem
{
    public required string CallId { get; init; }
    public required string Output { get; init; }
}

public sealed record ReasoningItem : ConversationItem
{
    public required string Text { get; init; }
}

public sealed record ContentPart(ContentKind Type, string Text);

[JsonConverter(typeof(JsonStringEnumConverter<ContentKind>))]
public enum ContentKind
{
    [JsonStringEnumMemberName("input_text")] InputText,
    [JsonStringEnumMemberName("output_text")] OutputText,
}

[JsonConverter(typeof(JsonStringEnumConverter<Role>))]
public enum Role
{
    [JsonStringEnumMemberName("system")] System,
    [JsonStringEnumMemberName("developer")] Developer,
    [JsonStringEnumMemberName("user")] User,
    [JsonStringEnumMemberName("assistant")] Assistant,
    [JsonStringEnumMemberName("tool")] Tool,
}

[JsonConverter(typeof(JsonStringEnumConverter<ItemStatus>))]
public enum ItemStatus
{
    [JsonStringEnumMemberName("completed")] Completed,
    /// <summary>Cut by the token limit or by cancellation.</summary>
    [JsonStringEnumMemberName("incomplete")] Incomplete,
}
