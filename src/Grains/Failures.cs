using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Text;
using Hearth.Text.Templates;

namespace Hearth.Grains;

/// <summary>What a caller is told of a failure below.</summary>
static class Failures
{
    public static TurnFailure Cancelled { get; } = new(TurnError.Cancelled, "The turn was cancelled.");

    public static TurnFailure NoRoom { get; } =
        new(TurnError.Overloaded, "The silo has no room for another turn now.", null, Limits.RetryAfter);

    public static TurnFailure TooLarge { get; } = new(TurnError.InvalidRequest,
        $"The reply's events take more than {Limits.LiveTurnBytesMax} bytes: ask for fewer choices or log-probabilities.");

    public static TurnFailure Overtaken { get; } = new(TurnError.ConversationMoved,
        "The reply was broken off, and other turns came before it could go on: send the turn again.", null, Limits.RetryAfter);

    public static TurnFailure Elsewhere { get; } = new(
        TurnError.Fenced, "The conversation has moved to another activation.", null, Limits.RetryAfter);

    /// <summary>For an exception that is a bug.</summary>
    public static TurnFailure Broke { get; } = new(TurnError.Internal, "The turn failed by a fault of the silo: see its log.");

    /// <summary>Null for an exception that is a bug.</summary>
    public static TurnFailure? Of(Exception e) => e switch
    {
        TurnFailedException refused => refused.Failure,
        GrainRefusedException refused => Of(refused),
        StoreException { OutcomeUnknown: true } => new TurnFailure(TurnError.OutcomeUnknown,
            "The store did not say whether the turn was committed. Send it again with the same id to find out.",
            null, Limits.RetryAfter),
        StoreException store => new TurnFailure(TurnError.StoreUnavailable, store.Message, null, Limits.RetryAfter),
        TemplateException { Kind: TemplateErrorKind.Raised } raised => new TurnFailure(TurnError.InvalidRequest,
            $"The model's chat template refused the messages: {raised.Reason}", "messages"),
        TokenizerException broken => new TurnFailure(TurnError.InvalidRequest,
            $"The model's tokenizer cannot take this text: the file's {broken.Field} refuses it."),
        TemplateException broken => new TurnFailure(TurnError.TemplateFailed,
            $"The model's chat template failed in line {broken.Line}: {broken.Reason}"),
        LeaseLostException => Moved(null),
        OperationCanceledException => Cancelled,
        _ => null,
    };

    public static TurnFailure NoSuchTurn(TurnId turn) => new(TurnError.ConversationNotFound,
        $"There is no turn {turn} that runs, and none whose reply is kept.", "turn");

    /// <param name="silo">The conversation's owner, as far as it is known.</param>
    public static TurnFailure Moved(string? silo) =>
        new(TurnError.Moved, "Another silo has the conversation now.", null, Limits.RetryAfter, silo);

    static TurnFailure Of(GrainRefusedException e) => e.Kind switch
    {
        RefusalKind.OwnedElsewhere => Moved(e.Silo),
        RefusalKind.Busy => new(TurnError.ConversationBusy, "Too many turns of this conversation wait.", null, Limits.RetryAfter),
        RefusalKind.TooManyActivations => new(TurnError.Overloaded, e.Message, null, Limits.RetryAfter),
        RefusalKind.Stopping => new(TurnError.Draining, e.Message, null, Limits.RetryAfter),
        RefusalKind.Deleted => new(TurnError.ConversationNotFound, "The conversation was deleted.", "conversation"),
        RefusalKind.Gone => new(TurnError.ConversationBusy, e.Message, null, Limits.RetryAfter),
        _ => new(TurnError.Fenced, e.Message, null, Limits.RetryAfter),
    };
}
