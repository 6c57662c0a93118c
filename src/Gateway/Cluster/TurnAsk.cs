using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Contracts;

namespace Hearth.Gateway.Cluster;

/// <summary>A stream of a turn's events as it is asked for, from any silo at any time: what is known of it so far.</summary>
abstract class TurnAsk(TenantId tenant, ConversationId conversation, TurnId turn)
{
    public GrainId Grain { get; } = new(tenant.Value, conversation.Value);
    public ConversationId Conversation => conversation;
    public TurnId Turn => turn;

    /// <summary>Sequence of the event that comes next.</summary>
    public abstract int Next { get; }

    /// <summary>The turn's model, if it is known without asking.</summary>
    public virtual string? Model => null;

    /// <summary>No silo can have begun the turn: it may be refused without asking one.</summary>
    public virtual bool IsNew => false;

    /// <summary>A silo may have begun it.</summary>
    public virtual void MayHaveBegun()
    {
    }

    /// <summary>The call that goes on from there.</summary>
    public abstract (string Method, ReadOnlyMemory<byte> Request) Call();

    public abstract void Saw(ReadOnlySpan<byte> json);

    /// <summary>What it means when a silo has nothing to say from <see cref="Next"/> on; null where that cannot be.</summary>
    public virtual TurnFailure? Beyond => null;

    /// <summary>The model that a silo must serve to take the conversation over; null if that cannot be told.</summary>
    public abstract ValueTask<string?> ModelAsync(CancellationToken cancellationToken);

    public virtual ulong Prefix => 0;

    protected (string, ReadOnlyMemory<byte>) Attach() => (PeerMethods.AttachTurn,
        JsonSerializer.SerializeToUtf8Bytes(new TurnCall(tenant, conversation, turn, Next), ContractsJson.Default.TurnCall));
}

/// <summary>A turn to run, and to go on with wherever it breaks off.</summary>
sealed class RunAsk(ChatTurn turn) : TurnAsk(turn.Tenant, turn.Conversation, turn.Id)
{
    readonly ShownEvents _shown = new();
    bool _mayHaveBegun = !turn.IsIdDrawn;

    public override string Model => turn.Model;

    public override bool IsNew => !_mayHaveBegun && Next == 0;

    public override void MayHaveBegun() => _mayHaveBegun = true;

    public override int Next => _shown.Count;

    public override ulong Prefix => PrefixKey.Of(turn.Tenant, turn.Model, turn.CacheSalt, turn.Items);

    // Without its events nobody but who runs it can go on exactly: the pending record is asked for the rest.
    public override (string Method, ReadOnlyMemory<byte> Request) Call() =>
        _shown.IsWhole ? (PeerMethods.RunTurn, _shown.Call(turn with { Trace = TurnTrace.Current }, IsNew)) : Attach();

    public override void Saw(ReadOnlySpan<byte> json) => _shown.Add(json);

    public override ValueTask<string?> ModelAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult<string?>(turn.Model);
}

/// <summary>A turn that was begun elsewhere.</summary>
sealed class AttachAsk(IGrainStore store, TenantId tenant, ConversationId conversation, TurnId turn, int fromEvent)
    : TurnAsk(tenant, conversation, turn)
{
    int _seen;

    public override int Next => fromEvent + _seen;

    public override TurnFailure? Beyond => _seen > 0 ? null
        : new TurnFailure(
            TurnError.InvalidRequest, $"starting_after: the turn ended before its event {fromEvent}.", "starting_after");

    public override (string Method, ReadOnlyMemory<byte> Request) Call() => Attach();

    public override void Saw(ReadOnlySpan<byte> json) => _seen++;

    /// <exception cref="TurnFailedException">There is no such turn: nobody has it, and it is not recorded.</exception>
    public override async ValueTask<string?> ModelAsync(CancellationToken cancellationToken)
    {
        var record = await store.FindOperationAsync(Grain, Turn.Value, cancellationToken);
        if (record is { Status: OperationStatus.Pending, Request: { Length: > 0 } request })
        {
            return JsonSerializer.Deserialize(request, ContractsJson.Default.ChatTurn)?.Model;
        }
        return record is not null && await store.DescribeAsync(Grain, cancellationToken) is { } summary
            ? Heads.Of(summary).Model
            : throw new TurnFailedException(TurnError.ConversationNotFound, "There is no such turn, or its result was given up.");
    }
}

static class Heads
{
    static readonly ConversationHead s_none = new("", 0);

    public static ConversationHead Of(GrainSummary summary) => summary.State.Length == 0
        ? s_none
        : JsonSerializer.Deserialize(summary.State, ContractsJson.Default.ConversationHead) ?? s_none;
}
