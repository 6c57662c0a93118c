namespace Hearth.Contracts;

/// <summary>Why a turn was refused or failed: closed, by cause. One table in the gateway maps it to HTTP.</summary>
public enum TurnError
{
    None = 0,

    // the request
    InvalidRequest,
    ContextLengthExceeded,
    ModelNotFound,
    ConversationNotFound,
    /// <summary>The turn id was used before with another body.</summary>
    IdempotencyConflict,
    /// <summary>The conversation was found by its history, and has moved on since: try again as a new one.</summary>
    ConversationMoved,

    // the moment
    ConversationBusy,
    Overloaded,
    ModelLoading,
    Draining,
    /// <summary>Another silo owns the conversation (<see cref="TurnFailure.Silo"/>): the gateway goes there. Never shown to
    /// clients.</summary>
    Moved,
    DeadlineExceeded,
    Cancelled,

    // the house
    /// <summary>The chat template refused the messages (its own message is given) or broke.</summary>
    TemplateFailed,
    /// <summary>Another activation owns the conversation now.</summary>
    Fenced,
    StoreUnavailable,
    /// <summary>The commit's outcome is not known: ask by turn id.</summary>
    OutcomeUnknown,
    Internal,
}

/// <summary>A refusal with its reason.</summary>
/// <param name="Param">The request's field at fault, as a path such as <c>messages[2].content</c>; null if none.</param>
/// <param name="RetryAfter">When trying again makes sense; null if it does not.</param>
/// <param name="Silo">Moved: who owns the conversation now, as far as it is known.</param>
public sealed record TurnFailure(
    TurnError Error, string Message, string? Param = null, TimeSpan? RetryAfter = null, string? Silo = null);

/// <summary>Thrown by the cluster's calls that answer with one value, when they cannot: the failure says why.</summary>
public sealed class TurnFailedException(TurnFailure failure) : Exception(failure.Message)
{
    public TurnFailedException(TurnError error, string message) : this(new TurnFailure(error, message))
    {
    }

    public TurnFailure Failure => failure;
}
