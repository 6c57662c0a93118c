using Hearth.Actors.Membership;
using Hearth.Actors.Storage;

namespace Hearth.Actors;

/// <summary>A virtual actor's one live instance: its state, touched only by messages, run in order.</summary>
public abstract class Grain(GrainContext context)
{
    public GrainContext Context => context;

    /// <summary>Loads the state, before the first message. An exception refuses every message that waits.</summary>
    protected internal abstract Task ActivateAsync(CancellationToken cancellationToken);

    /// <summary>Lets go of everything, after the last message.</summary>
    protected internal abstract Task DeactivateAsync(DeactivationReason reason);

    /// <summary>Whether the store, which has come back as another one, has lost some of this. From any thread, while the silo may
    /// not act.</summary>
    protected internal virtual bool IsAheadOf(GrainSummary stored) => false;

    /// <summary>Called at once from any thread when the activation must end soon: cancel what runs.</summary>
    protected internal virtual void Interrupt(DeactivationReason reason)
    {
    }
}

public enum DeactivationReason
{
    /// <summary>Nobody called for a while.</summary>
    Idle,
    Stopping,
    Deleted,
    /// <summary>A write was refused: somebody else owns the grain.</summary>
    Fenced,
    /// <summary>What is in memory may differ from what is stored: the next activation reads it anew.</summary>
    Uncertain,
    /// <summary>Ownership was handed over to an activation on another silo.</summary>
    HandedOver,
}

/// <summary>What a grain knows of its activation.</summary>
public abstract class GrainContext
{
    public required GrainId Id { get; init; }
    public required TimeProvider Time { get; init; }

    /// <summary>Name of the silo that runs it.</summary>
    public required string Silo { get; init; }

    /// <summary>The silo's right to act.</summary>
    public required Lease Lease { get; init; }

    /// <summary>Known once the store has granted ownership: from ActivateAsync on, or, for an activation that was prepared for a
    /// hand-over, from its first message on.</summary>
    public Fence Fence { get; protected set; }

    /// <summary>The silo that owned the grain before, which may still hold what it computed; null if none is known.</summary>
    public string? PreviousSilo { get; protected set; }

    /// <summary>Returns when the silo may act: to be awaited before every store write.</summary>
    /// <exception cref="LeaseLostException">It never will again.</exception>
    /// <exception cref="OperationCanceledException">The activation must end first.</exception>
    public abstract ValueTask HeldAsync();

    /// <summary>Queues a message behind those that wait. What it throws goes to the task, never to the loop.</summary>
    /// <exception cref="GrainRefusedException">Through the task: the mailbox is full, or the activation ends first.</exception>
    public abstract Task<T> CallAsync<T>(Func<Task<T>> message);

    /// <summary>Ends the activation after the message that runs now.</summary>
    public abstract void Deactivate(DeactivationReason reason);

    /// <summary>Ends the activation as <see cref="DeactivationReason.HandedOver"/>: who waits for it is sent to the new
    /// owner.</summary>
    public abstract void HandOver(string silo);
}
