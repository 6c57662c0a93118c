using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hearth.Contracts;

/// <summary>One turn of a conversation, checked by the gateway: below it nothing of the request is doubted again.</summary>
public sealed record ChatTurn
{
    public required TurnId Id { get; init; }

    /// <summary>The id was drawn for this request, so that nobody can have sent the turn before. Known where the request came
    /// in, and nowhere else.</summary>
    [JsonIgnore]
    public bool IsIdDrawn { get; init; }

    public required TenantId Tenant { get; init; }
    public required ConversationId Conversation { get; init; }
    public required string Model { get; init; }

    /// <summary>What <see cref="Items"/> are to the conversation that the grain holds.</summary>
    public required HistoryMode History { get; init; }

    public required IReadOnlyList<ConversationItem> Items { get; init; }

    /// <summary>SHA-256 (hex) of the request's body: the same turn id with another body is a conflict.</summary>
    public required string BodyHash { get; init; }

    /// <summary>When the gateway took it: the date that the chat template and the reply show.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>Where the conversation stood when its owner first ran the turn; null before that.</summary>
    public TurnPosition? BeganAt { get; init; }

    public GenerationOptions Generation { get; init; } = new();

    /// <summary>Allow-listed template variables, such as <c>enable_thinking</c>; null if none.</summary>
    public IReadOnlyDictionary<string, JsonElement>? TemplateArguments { get; init; }

    /// <summary>Keeps caches apart within a tenant; null shares prefixes between the tenant's conversations.</summary>
    public string? CacheSalt { get; init; }

    /// <summary>Whom its trace belongs to, as W3C's traceparent. Changes nothing of the reply.</summary>
    public string? Trace { get; init; }
}

/// <param name="Turns">Turns committed before it.</param>
/// <param name="Entries">Entries of the transcript.</param>
public sealed record TurnPosition(int Turns, int Entries);

public enum HistoryMode
{
    /// <summary>The items are new: they are appended.</summary>
    Append,

    /// <summary>The items are the whole history: the conversation is cut back to the common part and goes on there.</summary>
    Whole,

    /// <summary>As Whole, but found by the history's hash: if the conversation does not hold exactly the history
    /// up to its last assistant message any more, the turn fails with <see cref="TurnError.ConversationMoved"/>.</summary>
    WholeFound,
}

/// <summary>Raw text or tokens to continue, without a conversation (<c>/v1/completions</c>).</summary>
public sealed record CompletionTurn
{
    public required TurnId Id { get; init; }
    public required TenantId Tenant { get; init; }
    public required string Model { get; init; }

    /// <summary>The prompt's text, or null with <see cref="PromptTokens"/>.
    /// Special tokens are recognised: the prompt is raw by contract.</summary>
    public string? Prompt { get; init; }
    public IReadOnlyList<int>? PromptTokens { get; init; }

    public GenerationOptions Generation { get; init; } = new();
    public string? CacheSalt { get; init; }

    /// <summary>As <see cref="ChatTurn.Trace"/>.</summary>
    public string? Trace { get; init; }
}

/// <summary>How a reply is made and when it ends.</summary>
public sealed record GenerationOptions
{
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Most tokens of a reply; null means up to the context's end.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Up to four texts that end the reply and are not part of it.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Goes on after an end-of-sequence token, for measurements.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>How the keys and values are kept.</summary>
    public CacheKind Cache { get; init; }

    /// <summary>Number of replies to the same prompt; the first one is the conversation's.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>Whether each token's log-probability is reported.</summary>
    public bool Logprobs { get; init; }
}
