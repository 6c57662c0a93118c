using System.Text.Json.Serialization;

namespace Hearth.Contracts;

/// <summary>What happens in a turn, numbered from 0 without a gap; exactly one <see cref="TurnFinished"/> or
/// <see cref="TurnFailed"/> ends it.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(TurnStarted), "started")]
[JsonDerivedType(typeof(TurnDelta), "delta")]
[JsonDerivedType(typeof(ChoiceFinished), "choice")]
[JsonDerivedType(typeof(TurnFinished), "finished")]
[JsonDerivedType(typeof(TurnFailed), "failed")]
public abstract record TurnEvent
{
    public int Sequence { get; init; }
}

/// <summary>The prompt was admitted: sent before any text.</summary>
public sealed record TurnStarted : TurnEvent
{
    public required TurnId Turn { get; init; }

    /// <summary>Empty for a completion without a conversation.</summary>
    public required ConversationId Conversation { get; init; }

    public required string Silo { get; init; }

    /// <summary>When the turn first ran; a replay keeps it.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>What the turn asked for, as far as its reply's form depends on it: a stream that goes on elsewhere looks the
    /// same.</summary>
    public string Model { get; init; } = "";
    public int Choices { get; init; } = 1;
    public bool Logprobs { get; init; }

    /// <summary>Its choices ran side by side more than once, and this run's events may come in another order than those of an
    /// earlier one: who has seen the beginning of that cannot go on by numbers.</summary>
    public bool IsAnew { get; init; }

    public required int PromptTokens { get; init; }

    /// <summary>Prompt tokens whose keys and values were not computed again.</summary>
    public required int CachedTokens { get; init; }

    public required CacheOrigin Cache { get; init; }

    /// <summary>Why the cache did not serve more; null when it served all it could.</summary>
    public string? CacheReason { get; init; }
}

/// <summary>Text of one choice, ready to be shown: never part of a code point, never part of a stop string.</summary>
public sealed record TurnDelta : TurnEvent
{
    public int Choice { get; init; }
    public required string Text { get; init; }

    /// <summary>Every token of the choice since its delta before, also those whose text is held back: with all deltas so far they
    /// are the reply as another silo must go on with it. Never shown to clients.</summary>
    public IReadOnlyList<int> Tokens { get; init; } = [];

    /// <summary>Tokens that this delta stands for, with their log-probabilities when asked for.</summary>
    public IReadOnlyList<TokenLogprob> Logprobs { get; init; } = [];
}

public sealed record ChoiceFinished : TurnEvent
{
    public int Choice { get; init; }
    public required FinishReason Reason { get; init; }

    /// <summary>As <see cref="TurnDelta.Tokens"/>: what came after the last delta, the token that ended the choice
    /// included.</summary>
    public IReadOnlyList<int> Tokens { get; init; } = [];
}

/// <summary>The turn is committed: only now is it reported as finished.</summary>
public sealed record TurnFinished : TurnEvent
{
    public required Usage Usage { get; init; }

    /// <summary>True when this is the stored result of an earlier run of the same turn id.</summary>
    public bool Replayed { get; init; }
}

public sealed record TurnFailed : TurnEvent
{
    public required TurnFailure Failure { get; init; }
}

public sealed record Usage(int PromptTokens, int CompletionTokens, int CachedTokens);

/// <param name="Bytes">The token's own bytes, also where they are part of a code point.</param>
public sealed record TokenLogprob(string Token, byte[] Bytes, float Logprob, IReadOnlyList<AlternativeLogprob> Top);

public sealed record AlternativeLogprob(string Token, byte[] Bytes, float Logprob);

[JsonConverter(typeof(JsonStringEnumConverter<FinishReason>))]
public enum FinishReason
{
    [JsonStringEnumMemberName("stop")] Stop,
    [JsonStringEnumMemberName("length")] Length,
}

/// <summary>Where a prompt's keys and values came from (<c>x-hearth-cache</c>).</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CacheOrigin>))]
public enum CacheOrigin
{
    /// <summary>Nothing was cached and nothing could have been.</summary>
    [JsonStringEnumMemberName("new")] New,
    [JsonStringEnumMemberName("hit")] Hit,
    [JsonStringEnumMemberName("restored")] Restored,
    [JsonStringEnumMemberName("pulled")] Pulled,
    [JsonStringEnumMemberName("recomputed")] Recomputed,
}
