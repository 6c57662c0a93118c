using System.Runtime.CompilerServices;

namespace Hearth.Actors.Transport;

/// <summary>One side of a call on a connection. The reader of the connection brings what the other side sent and never waits:
/// what may come is bounded by the credit given.</summary>
class TcpPeerCall : PeerCall
{
    const int PartBytesMin = 16 << 10;

    readonly Lock _gate = new();
    readonly PeerIncoming _incoming;
    readonly PeerSignal _readable = new();
    readonly PeerSignal _writable = new();
    ReadOnlyMemory<byte> _request;
    ITimer? _deadline;
    (PeerFault Fault, string Message, Exception? Inner)? _broken;
    bool _sentAll;
    bool _receivedAll;
    bool _otherSideDone;

    // Bytes of frames that the other side still lets come.
    long _credit;

    public TcpPeerCall(PeerConnection connection, uint id, string method)
    {
        (Connection, Id, Method) = (connection, id, method);
        var window = connection.Bulk ? Limits.PeerBulkWindowBytes : Limits.PeerWindowBytes;
        (_credit, _incoming) = (window, new PeerIncoming(window, connection.Buffers));
    }

    public uint Id { get; }
    protected PeerConnection Connection { get; }
    public override string Method { get; }
    public override ReadOnlyMemory<byte> Request => _request;

    /// <summary>The calling side's first message.</summary>
    public ValueTask SendRequestAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        _request = request;
        return SendAsync(request, cancellationToken);
    }

    public void StartDeadline(TimeSpan due, TimeProvider time)
    {
        // Longer ones are beyond what a timer takes, and beyond any call.
        due = due < Limits.PeerDeadlineMax ? due : Limits.PeerDeadlineMax;
        var timer = time.CreateTimer(
            static call => ((TcpPeerCall)call!).Break(PeerFault.Deadline, "the call's time is over", tell: true),
            this, due, Timeout.InfiniteTimeSpan);
        lock (_gate)
        {
            if (!IsOver)
            {
                _deadline = timer;
                return;
            }
        }
        timer.Dispose();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<PeerMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            PeerBuffer? message;
            uint credit;
            lock (_gate)
            {
                message = _incoming.Take();
                if (message is null)
                {
                    ThrowIfBroken();
                    if (_receivedAll)
                        return null;
                }
                credit = DueCredit();
            }
            Give(credit);
            if (message is not null)
                return new PeerMessage(message.Memory, message);
            await _readable.WaitAsync(cancellationToken);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        CheckLength(message);
        var sent = 0;
        do
        {
            int part;
            while (!TryTakeCredit(Math.Min(message.Length - sent, Connection.FrameBytesMax), out part))
            {
                try
                {
                    await _writable.WaitAsync(cancellationToken);
                }
                catch (OperationCanceledException) when (sent > 0)
                {
                    Break(PeerFault.Aborted, "a send was cancelled within a message", tell: true);
                    throw;
                }
            }
            var frame = sent == 0
                ? new PeerFrame(PeerFrameKind.Message, Id, part, (uint)message.Length)
                : new PeerFrame(PeerFrameKind.More, Id, part, (uint)sent);
            await Connection.Outbox.SendAsync(frame, message.Slice(sent, part));
            sent += part;
        } while (sent < message.Length);
    }

    public static void CheckLength(ReadOnlyMemory<byte> message)
    {
        if (message.Length > Limits.PeerMessageBytesMax)
        {
            throw new PeerException(
                PeerFault.Refused, $"a message of {message.Length} bytes; at most {Limits.PeerMessageBytesMax} can be sent");
        }
    }

    public override ValueTask CompleteAsync(CancellationToken cancellationToken)
    {
        bool over;
        lock (_gate)
        {
            ThrowIfBroken();
            if (_sentAll || _otherSideDone)
                return ValueTask.CompletedTask;
            _sentAll = true;
            over = IsOver;
        }
        Connection.Outbox.Post(new(PeerFrameKind.Complete, Id, 0, 0));
        if (over)
            Leave();
        return ValueTask.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        Break(PeerFault.Aborted, "the call was given up on this side", tell: true, told: "the other side gave the call up");
        lock (_gate)
            _incoming.Drop();
        return ValueTask.CompletedTask;
    }

    /// <summary>Ends the call on this side, once, and tells the other one if asked to.</summary>
    public void Break(PeerFault fault, string message, bool tell, string? told = null, Exception? inner = null)
    {
        lock (_gate)
        {
            if (IsOver)
                return;
            _broken = (fault, message, inner);
            // Who gave up shall not be served first; what a failing or dying peer sent before still counts.
            if (fault is PeerFault.Aborted or PeerFault.Deadline)
                _incoming.Drop();
        }
        if (tell)
            Connection.Outbox.PostAbort(Id, fault, told ?? message);
        Leave();
        _readable.Set();
        _writable.Set();
        OnBroken();
    }

    /// <summary>The serving side's: the handler has returned, nothing is sent or read any more.</summary>
    protected void Finish()
    {
        lock (_gate)
        {
            if (_broken is not null)
                return;
            (_sentAll, _receivedAll, _otherSideDone) = (true, true, true);
            _incoming.Drop();
        }
        Connection.Outbox.Post(new(PeerFrameKind.Complete, Id, 0, 1));
        Leave();
    }

    protected virtual void OnBroken()
    {
    }

    /// <summary>Whether the message is the request that the serving side waits for.</summary>
    protected virtual bool TakeRequest(PeerBuffer message) => false;

    protected virtual bool HasRequest => true;

    protected virtual void Start()
    {
    }

    void Give(uint credit)
    {
        if (credit > 0)
            Connection.Outbox.Post(new(PeerFrameKind.Credit, Id, 0, credit));
    }

    void Leave()
    {
        Connection.Remove(this);
        lock (_gate)
            _deadline?.Dispose();
    }

    // From here on: what the connection's reader calls.

    /// <summary>Where the frame's payload belongs; null if the call takes none any more.</summary>
    public Memory<byte>? BeginPart(PeerFrame frame)
    {
        lock (_gate)
        {
            if (IsOver || _receivedAll)
                return null;
            if (_incoming.Begin(frame) is { } place)
                return place;
        }
        Break(PeerFault.Refused, "the peer holds too many received messages", tell: true);
        return null;
    }

    public void EndPart(int length)
    {
        bool start;
        uint credit;
        lock (_gate)
        {
            var message = _incoming.End(length);
            if (IsOver)
            {
                message?.Dispose();
                _incoming.Drop();
                return;
            }
            start = message is not null && TakeRequest(message);
            if (start)
            {
                _request = message!.Memory;
                _incoming.Read(message);
            }
            else if (message is not null)
            {
                _incoming.Keep(message);
            }
            credit = DueCredit();
        }
        Give(credit);
        if (start)
            Start();
        else
            _readable.Set();
    }

    public void EndReceiving(bool otherSideDone)
    {
        bool over;
        lock (_gate)
        {
            if (_incoming.IsWithinMessage || !HasRequest)
                throw new PeerProtocolException("completed within a message");
            _receivedAll = true;
            _otherSideDone |= otherSideDone;
            over = IsOver;
        }
        if (over)
            Leave();
        _readable.Set();
        _writable.Set();
    }

    public void AddCredit(uint bytes)
    {
        lock (_gate)
        {
            _credit += bytes;
            if (_credit > 2L * Limits.PeerMessageBytesMax)
                throw new PeerProtocolException("more credit than any message needs");
        }
        _writable.Set();
    }

    // From here on: only under the lock.

    bool IsOver => _broken is not null || _otherSideDone || (_sentAll && _receivedAll);

    uint DueCredit() => _receivedAll || IsOver ? 0 : _incoming.TakeCredit();

    bool TryTakeCredit(int wanted, out int part)
    {
        lock (_gate)
        {
            ThrowIfBroken();
            if (_sentAll || _otherSideDone)
                throw new PeerException(PeerFault.Aborted, _sentAll ? "this side has completed the call" : "the handler is done");
            part = (int)Math.Min(wanted, _credit - PeerFrame.Bytes);
            if (part < Math.Min(wanted, PartBytesMin))
                return false;
            _credit -= PeerFrame.Bytes + part;
            return true;
        }
    }

    void ThrowIfBroken()
    {
        if (_broken is var (fault, message, inner))
            throw new PeerException(fault, $"{Method} at {Connection.PeerName}: {message}", inner);
    }
}
