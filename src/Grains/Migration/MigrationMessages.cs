using System.Text.Json.Serialization;
using Hearth.Contracts;
using Hearth.Grains.Replies;

namespace Hearth.Grains.Migration;

/// <summary>The call's request: what is to move.</summary>
/// <param name="Target">Id of the silo that is meant: another generation may listen at its address by now.</param>
/// <param name="Activation">Of the owner as it offers the conversation: while it is the store's, nothing has moved.</param>
/// <param name="Model">Empty for a conversation without a turn; it has no cache then.</param>
/// <param name="Fingerprint">Of that model: the target must serve the very same one.</param>
/// <param name="Scope">As <see cref="TokenRequest.Scope"/>.</param>
sealed record MoveOffer(
    string Tenant, string Conversation, string Silo, string Target, string Activation, string Model, string Fingerprint,
    string Scope)
{
    /// <summary>Of this protocol; another one is refused.</summary>
    public int Version { get; init; } = 1;

    /// <summary>As <see cref="ChatTurn.Trace"/>.</summary>
    public string? Trace { get; init; }
}

/// <summary>A message from source to target: one of these.</summary>
/// <param name="Part">The next message is the part's blob.</param>
/// <param name="Turn">The turn that runs, so that its prompt can be made ready.</param>
/// <param name="Events">Of that turn, after those that were sent before.</param>
sealed record MoveStep(
    MovePart? Part = null, ChatTurn? Turn = null, IReadOnlyList<TurnEvent>? Events = null, MoveState? State = null,
    MoveCommit? Commit = null);

/// <param name="First">Position of its first token.</param>
sealed record MovePart(int First, IReadOnlyList<int> Tokens);

/// <summary>All that the conversation is, from the moment on at which the source keeps still.</summary>
/// <param name="Turns">Committed turns.</param>
/// <param name="Entries">Of the transcript.</param>
/// <param name="Tokens">Exact tokens as of the last commit.</param>
/// <param name="Events">Last events of the turn that runs.</param>
/// <param name="EventCount">Of that turn, those that were sent before included.</param>
/// <param name="Held">What its choices had made beyond its events.</param>
/// <param name="IsRunning">Whether the turn that was told still runs.</param>
/// <param name="Waiting">Turns that wait behind it.</param>
sealed record MoveState(int Turns, int Entries, int Tokens, bool IsRunning, IReadOnlyList<TurnEvent> Events,
    int EventCount, IReadOnlyList<HeldBack> Held, IReadOnlyList<ChatTurn> Waiting);

/// <param name="Epoch">That the hand-over has granted.</param>
/// <param name="IsCancelled">Whether the running turn was cancelled at the last moment.</param>
sealed record MoveCommit(long Epoch, bool IsCancelled);

/// <summary>A message from target to source: to the offer, to each part, and to the state.</summary>
/// <param name="Reason">Why not; null means yes.</param>
/// <param name="Activation">To the state: that ownership is to be handed to.</param>
sealed record MoveAnswer(string? Reason, string? Activation = null);

/// <summary>How a move ended.</summary>
/// <param name="Silo">Where the conversation is now; null if it stayed.</param>
/// <param name="Reason">Why it stayed.</param>
/// <param name="Tokens">Tokens whose keys and values went along.</param>
/// <param name="Pause">How long it was held.</param>
sealed record MoveResult(string? Silo, string? Reason, int Tokens = 0, TimeSpan Pause = default)
{
    /// <summary>moved, refused, failed or timeout.</summary>
    public string Result { get; init; } = Silo is null ? "failed" : "moved";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, AllowOutOfOrderMetadataProperties = true)]
[JsonSerializable(typeof(MoveOffer))]
[JsonSerializable(typeof(MoveStep))]
[JsonSerializable(typeof(MoveAnswer))]
sealed partial class MigrationJson : JsonSerializerContext;
