namespace Hearth.Contracts;

/// <summary>The calls between the processes of a cluster. Requests and answers are the records of this folder as
/// <see cref="ContractsJson"/>; a turn's answer is its events, one message each.</summary>
public static class PeerMethods
{
    /// <summary><see cref="RunTurnCall"/> to events. Aborting the call cancels the turn; a lost connection lets it go on for a
    /// while,
    /// for the gateway or another one to come back.</summary>
    public const string RunTurn = "turn.run";

    /// <summary><see cref="TurnCall"/> to events.</summary>
    public const string AttachTurn = "turn.attach";

    /// <summary><see cref="TurnCall"/> to <see cref="DoneAnswer"/>.</summary>
    public const string CancelTurn = "turn.cancel";

    /// <summary><see cref="CompletionTurn"/> to events.</summary>
    public const string RunCompletion = "completion.run";

    /// <summary><see cref="ConversationCall"/> to <see cref="ConversationAnswer"/>; the last two activate the
    /// conversation.</summary>
    public const string DescribeConversation = "conversation.describe";
    public const string SpillConversation = "conversation.spill";
    public const string MigrateConversation = "conversation.migrate";

    /// <summary><see cref="ConversationCall"/> to <see cref="DoneAnswer"/>: the store has its tombstone already.</summary>
    public const string ForgetConversation = "conversation.forget";

    /// <summary><see cref="TextCall"/> to <see cref="TextAnswer"/>.</summary>
    public const string Tokenize = "text.tokenize";
    public const string TokenizeChat = "text.tokenize_chat";
    public const string Detokenize = "text.detokenize";

    /// <summary>No request, <see cref="DoneAnswer"/>.</summary>
    public const string DrainSilo = "silo.drain";

    /// <summary>Silo to silo, both ways: the migration protocol.</summary>
    public const string MoveIn = "conversation.move_in";

    /// <summary>Silo to silo: a cache that the asked silo still holds, part by part.</summary>
    public const string PullCache = "cache.pull";
}

/// <param name="FromEvent">The first event that the caller wants.</param>
/// <param name="Shown">Events 0 to FromEvent - 1 as the client has them, for a silo that must go on with a reply whose silo died;
/// empty at a turn's first call.</param>
/// <param name="IsNew">Nobody can know the turn yet: it may be refused without a look into the store.</param>
public sealed record RunTurnCall(ChatTurn Turn, int FromEvent, IReadOnlyList<TurnEvent> Shown, bool IsNew = false);

public sealed record TurnCall(TenantId Tenant, ConversationId Conversation, TurnId Turn, int FromEvent);

/// <param name="Silo">Migrate: the target; null lets placement choose.</param>
public sealed record ConversationCall(TenantId Tenant, ConversationId Conversation, string? Silo = null);

public sealed record ConversationAnswer(ConversationInfo? Conversation, TurnFailure? Failure = null);

public sealed record DoneAnswer(bool Done, TurnFailure? Failure = null);

/// <summary>Tokenize takes text, TokenizeChat items, Detokenize tokens.</summary>
public sealed record TextCall(
    string Model, string? Text, bool AddSpecialTokens, IReadOnlyList<ConversationItem>? Items, IReadOnlyList<int>? Tokens);

public sealed record TextAnswer(IReadOnlyList<int>? Tokens, string? Text, TurnFailure? Failure = null);

/// <summary>What a silo says of itself in the membership table; does not change while it lives.</summary>
public sealed record SiloDescription(int Pid, string Device, string Version, IReadOnlyList<ModelCard> Models);
