namespace Hearth.Actors.Transport;

/// <summary>Calls between the processes of a cluster. A call begins with a request and goes on with messages both ways, each side
/// in order and each bounded: a sender waits while the receiver is behind.</summary>
public interface IPeerNetwork
{
    /// <summary>Opens a call. Whether the peer took it shows at the first receive.</summary>
    /// <param name="address">host:port of the peer.</param>
    /// <exception cref="PeerException">Unreachable: the request was certainly not delivered.</exception>
    ValueTask<PeerCall> OpenAsync(string address, string method, ReadOnlyMemory<byte> request, PeerCallOptions options,
        CancellationToken cancellationToken);
}

/// <summary>Answers the calls of one method; the call is over when it returns, and its request's memory with it. What it throws
/// reaches the caller as Failed. The token fires when the call breaks; the next receive then says whether it was Aborted, Lost or
/// out of time.</summary>
public delegate Task PeerHandler(PeerCall call, CancellationToken cancellationToken);

/// <summary>One side of a call. Sends and receives may run at the same time, but no two sends and no two receives.</summary>
public abstract class PeerCall : IAsyncDisposable
{
    public abstract string Method { get; }

    /// <summary>As the caller gave it.</summary>
    public abstract ReadOnlyMemory<byte> Request { get; }

    /// <summary>The other side's next message; null when it has completed its side.</summary>
    /// <exception cref="PeerException">The call is broken: see <see cref="PeerFault"/>.</exception>
    public abstract ValueTask<PeerMessage?> ReceiveAsync(CancellationToken cancellationToken);

    /// <summary>Sends a message of at most <see cref="Limits.PeerMessageBytesMax"/>. The memory may be used again on
    /// return.</summary>
    /// <exception cref="PeerException">The call is broken.</exception>
    public abstract ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken);

    /// <summary>Tells the other side that no more messages follow. A handler's return does so too.</summary>
    public abstract ValueTask CompleteAsync(CancellationToken cancellationToken);

    /// <summary>Aborts the call unless both sides have completed it: the other side sees Aborted.</summary>
    public abstract ValueTask DisposeAsync();
}

public sealed record PeerCallOptions
{
    public static PeerCallOptions Default { get; } = new();

    /// <summary>The whole call's; both sides see Deadline when it passes. Null for streams that last.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>Carries much: gets a connection of its own, so that nothing small waits behind it.</summary>
    public bool Bulk { get; init; }
}

/// <summary>A received message in a lent buffer: dispose of it when it is read.</summary>
public readonly struct PeerMessage(ReadOnlyMemory<byte> memory, IDisposable? lease) : IDisposable
{
    public ReadOnlyMemory<byte> Memory => memory;

    public void Dispose() => lease?.Dispose();
}

public enum PeerFault
{
    /// <summary>No connection: nothing was delivered.</summary>
    Unreachable,
    /// <summary>The connection broke: what was sent may have been taken or not.</summary>
    Lost,
    /// <summary>The other side gave the call up.</summary>
    Aborted,
    Deadline,
    /// <summary>The peer does not take such a call: an unknown method, another cluster, a version or key that does not fit, a
    /// size.</summary>
    Refused,
    /// <summary>The peer's handler failed.</summary>
    Failed,
}

public sealed class PeerException(PeerFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    public PeerFault Fault => fault;
}
