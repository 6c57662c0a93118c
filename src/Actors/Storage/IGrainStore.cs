namespace Hearth.Actors.Storage;

/// <summary>What must outlive a silo: the directory of owners, and each grain's log, journal, state and operations.
/// Every call is atomic: it checks everything, then writes everything or nothing, and a result means that it is on disk.
/// A write whose fence is not the owner's is refused.</summary>
/// <exception cref="StoreException">Any call: the store did not answer, or it is not known whether it wrote.</exception>
public interface IGrainStore
{
    /// <summary>Takes ownership: epoch + 1 and a new activation id.</summary>
    /// <param name="expectedPrevious">The activation that the caller knows to be gone; null if there must be none.</param>
    ValueTask<AcquireResult> AcquireAsync(
        GrainId grain, string silo, string activation, string? expectedPrevious, CancellationToken cancellationToken);

    /// <summary>Gives ownership back, so that anybody may take it.</summary>
    ValueTask<WriteOutcome> ReleaseAsync(GrainId grain, Fence fence, CancellationToken cancellationToken);

    /// <summary>Gives ownership to an activation that is ready for it, in one step: epoch + 1.</summary>
    /// <param name="silo">The new owner's silo.</param>
    /// <param name="activation">The new owner's activation id.</param>
    /// <param name="pending">An operation that the new owner goes on with: it becomes its own; null if none runs.</param>
    /// <returns>Acquired, Fenced or Deleted.</returns>
    ValueTask<AcquireResult> HandOverAsync(
        GrainId grain, Fence fence, string silo, string activation, string? pending, CancellationToken cancellationToken);

    /// <summary>Who owns the grain, or owned it last; null if it has never been active or is deleted.</summary>
    ValueTask<GrainLocation?> LocateAsync(GrainId grain, CancellationToken cancellationToken);

    /// <summary>Records an operation as pending before it is run. Failed and cancelled ones begin anew.</summary>
    /// <param name="hash">Of the operation's arguments: the same id with another hash is a conflict.</param>
    /// <param name="request">The arguments, kept while it is pending, so that another owner can run it; the first ones
    /// stay.</param>
    ValueTask<BeginResult> BeginAsync(GrainId grain, Fence fence, string operation, string hash,
        ReadOnlyMemory<byte> request, CancellationToken cancellationToken);

    /// <returns>Null if the operation was never begun, or its result was given up.</returns>
    ValueTask<StoredOperation?> FindOperationAsync(GrainId grain, string operation, CancellationToken cancellationToken);

    /// <summary>Writes all parts of a step in one.</summary>
    ValueTask<CommitResult> CommitAsync(GrainId grain, Fence fence, GrainCommit commit, CancellationToken cancellationToken);

    /// <summary>Ends a pending operation without a commit.</summary>
    /// <param name="status">Failed or Cancelled.</param>
    ValueTask<WriteOutcome> EndAsync(
        GrainId grain, Fence fence, string operation, OperationStatus status, CancellationToken cancellationToken);

    /// <summary>Everything of a grain; null if it has never been active or is deleted.</summary>
    ValueTask<GrainSnapshot?> ReadAsync(GrainId grain, CancellationToken cancellationToken);

    ValueTask<GrainSummary?> DescribeAsync(GrainId grain, CancellationToken cancellationToken);

    /// <summary>The grains of a scope, those that changed last first.</summary>
    ValueTask<IReadOnlyList<GrainSummary>> ListAsync(string scope, int limit, CancellationToken cancellationToken);

    /// <summary>Leaves nothing of a grain but a tombstone, whoever owns it: later writes of the owner are refused.</summary>
    /// <returns>False if there was nothing to delete.</returns>
    ValueTask<bool> DeleteAsync(GrainId grain, CancellationToken cancellationToken);

    /// <summary>The grain that an index key leads to. A hint: the grain itself must be asked.</summary>
    ValueTask<GrainId?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken);
}

public enum AcquireOutcome
{
    Acquired,
    Owned,
    Deleted,
    /// <summary>HandOver: the caller is not the owner.</summary>
    Fenced,
}

/// <param name="Epoch">Acquired: the new epoch.</param>
/// <param name="Owner">Owned: who has it.</param>
/// <param name="PreviousSilo">Acquired: the silo that had it before, which may still hold what it computed; null if none
/// did.</param>
public readonly record struct AcquireResult(
    AcquireOutcome Outcome, long Epoch = 0, GrainOwner? Owner = null, string? PreviousSilo = null);

/// <param name="Owner">Null if nobody owns it now.</param>
/// <param name="LastSilo">The owner's silo, or the one that let go of it.</param>
public sealed record GrainLocation(GrainOwner? Owner, string? LastSilo);

/// <param name="Epoch">Of the activation that began or took it over.</param>
/// <param name="Request">Pending: as given to Begin.</param>
/// <param name="Result">Committed: as given to Commit.</param>
public sealed record StoredOperation(
    string Id, OperationStatus Status, string Hash, long Epoch, byte[]? Request, byte[]? Result);

public sealed record GrainOwner(string Silo, long Epoch, string Activation);

public enum WriteOutcome
{
    Done,
    Fenced,
    /// <summary>There is no such pending operation.</summary>
    NotFound,
}

public enum OperationStatus
{
    Pending = 0,
    Committed = 1,
    Failed = 2,
    Cancelled = 3,
}

public enum BeginOutcome
{
    /// <summary>Recorded as pending: run it.</summary>
    Begun,
    /// <summary>An earlier activation left it pending: it is this one's now, run it.</summary>
    TakenOver,
    /// <summary>It is pending in this very activation.</summary>
    Pending,
    /// <summary>It is done: here is its result.</summary>
    Committed,
    Conflict,
    Fenced,
}

public readonly record struct BeginResult(BeginOutcome Outcome, byte[]? Result = null);

/// <summary>One atomic step.</summary>
public sealed record GrainCommit
{
    /// <summary>The pending operation that this commits, with its hash; null for a step without one.</summary>
    public string? Operation { get; init; }
    public string? Hash { get; init; }

    /// <summary>Kept to answer the same operation again.</summary>
    public ReadOnlyMemory<byte> Result { get; init; }

    /// <summary>Entries that the log must have now.</summary>
    public required int ExpectedLength { get; init; }

    /// <summary>Entries of the log that stay; the rest is cut off.</summary>
    public required int Keep { get; init; }

    public IReadOnlyList<ReadOnlyMemory<byte>> Append { get; init; } = [];

    /// <summary>The journal is one string of bytes: what stays of it, and what follows.</summary>
    public required int JournalKeep { get; init; }
    public ReadOnlyMemory<byte> JournalAppend { get; init; }

    /// <summary>Replaces the grain's state.</summary>
    public required ReadOnlyMemory<byte> State { get; init; }

    /// <summary>The key that leads to this grain from now on, in place of the one before; null for none.
    /// A store whose index lies elsewhere writes it after the commit.</summary>
    public string? IndexKey { get; init; }
}

public enum CommitOutcome
{
    Done,
    /// <summary>This operation has been committed before: nothing was written.</summary>
    Duplicate,
    Fenced,
    Conflict,
    /// <summary>The operation was never begun.</summary>
    NotBegun,
    /// <summary>Log or journal are not as long as expected.</summary>
    LengthMismatch,
}

/// <param name="Length">The log's length now.</param>
public readonly record struct CommitResult(CommitOutcome Outcome, int Length = 0);

/// <param name="Pending">Operations that were begun and not ended, without their requests.</param>
public sealed record GrainSnapshot(
    GrainSummary Summary, IReadOnlyList<byte[]> Log, byte[] Journal, IReadOnlyList<StoredOperation> Pending);

/// <param name="Owner">Null if nobody owns it.</param>
/// <param name="State">As last committed; empty if nothing was.</param>
/// <param name="BlobBytes">Bytes of its published blobs.</param>
/// <param name="BlobUnits">What they cover, in the unit of who published them.</param>
public sealed record GrainSummary(
    GrainId Id, long Epoch, GrainOwner? Owner, int Length, byte[] State, long BlobBytes, int BlobUnits);
