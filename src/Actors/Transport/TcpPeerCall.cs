using System.Runtime.CompilerServices;
using System.Text;

namespace Hearth.Actors.Transport;

/// <summary>One side of a call on a connection. The reader of the connection brings what the other side sent and never waits: what may
/// come is bounded by the credit given.</summary>
sealed class TcpPeerCall : PeerCall, IThreadPoolWorkItem
{
    const int PartBytesMin = 16 << 10;

    readonly PeerConnection _connection;
    readonly Lock _gate = new();
    readonly Queue<PeerBuffer> _arrived = new();
    readonly PeerSignal _readable = new();
    readonly PeerSignal _writable = new();
    readonly int _window;
    PeerHandler? _handler;
    CancellationTokenSource? _handlerStop;
    ReadOnlyMemory<byte> _request;
    PeerBuffer? _requestBuffer;
    ITimer? _deadline;
    (PeerFault Fault, string Message, Exception? Inner)? _broken;
    bool _sentAll;
    bool _receivedAll;
    bool _otherSideDone;

    // The message that is coming; _filling while the connection's reader writes to it.
    PeerBuffer? _incoming;
    int _incomingFilled;
    bool _filling;

    // Bytes of frames: what arrived, what was read, what was allowed; and what the other side allows.
    long _received;
    long _consumed;
    long _allowed;
    long _credit;

    /// <param name="handler">Null on the side that calls.</param>
    public TcpPeerCall(PeerConnection connection, uint id, string method, PeerHandler? handler)
    {
        (_connection, Id, Method, _handler) = (connection, id, method, handler);
        _allowed = _credit = _window = connection.Bulk ? Limits.PeerBulkWindowBytes : Limits.PeerWindowBytes;
        _handlerStop = handler is null ? null : new CancellationTokenSource();
    }

    public uint Id { get; }
    public override string Method { get; }
    public override ReadOnlyMemory<byte> Request => _request;

    /// <summary>The calling side's first message.</summary>
    public async ValueTask SendRequestAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        _request = request;
        await SendAsync(request, cancellationToken);
    }

    public void StartDeadline(TimeSpan due, TimeProvider time)
    {
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
                if (!_arrived.TryDequeue(out message))
                {
                    ThrowIfBroken();
                    if (_receivedAll)
                        return null;
                }
                _consumed += message?.Cost ?? 0;
                credit = DueCredit();
            }
            if (credit > 0)
                _connection.Outbox.Post(new(PeerFrameKind.Credit, Id, 0, credit));
            if (message is not null)
                return new PeerMessage(message.Memory, message);
            await _readable.WaitAsync(cancellationToken);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (message.Length > Limits.PeerMessageBytesMax)
        {
            throw new PeerException(
                PeerFault.Refused, $"a message of {message.Length} bytes; at most {Limits.PeerMessageBytesMax} can be sent");
        }
        var sent = 0;
        do
        {
            int part;
            while (!TryTakeCredit(Math.Min(message.Length - sent, _connection.FrameBytesMax), out part))
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
            await _connection.Outbox.SendAsync(frame, message.Slice(sent, part));
            sent += part;
        } while (sent < message.Length);
        lock (_gate)
            ThrowIfBroken();
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
        _connection.Outbox.Post(new(PeerFrameKind.Complete, Id, 0, 0));
        if (over)
            Leave();
        return ValueTask.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        Break(PeerFault.Aborted, "the call was given up on this side", tell: true, told: "the other side gave the call up");
        lock (_gate)
            DropArrived();
        return ValueTask.CompletedTask;
    }

    /// <summary>Runs the handler: the request is here.</summary>
    public void Execute() => _ = HandleAsync();

    async Task HandleAsync()
    {
        try
        {
            await _handler!(this, _handlerStop!.Token);
            Finish();
        }
        catch (Exception e)
        {
            Break(PeerFault.Failed, e.Message, tell: true);
        }
        finally
        {
            lock (_gate)
                DropArrived();
            _requestBuffer!.Dispose();
            _connection.HandlerEnded();
        }
    }

    /// <summary>The handler has returned: nothing is sent or read any more.</summary>
    void Finish()
    {
        lock (_gate)
        {
            if (_broken is not null)
                return;
            (_sentAll, _receivedAll, _otherSideDone) = (true, true, true);
        }
        _connection.Outbox.Post(new(PeerFrameKind.Complete, Id, 0, 1));
        Leave();
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
                DropArrived();
        }
        if (tell)
        {
            Span<byte> text = stackalloc byte[Limits.PeerErrorBytesMax];
            Encoding.UTF8.TryGetBytes(Trimmed(told ?? message), text, out var length);
            _connection.Outbox.Post(new(PeerFrameKind.Abort, Id, length, (uint)fault), text[..length]);
        }
        Leave();
        _readable.Set();
        _writable.Set();
        if (_handlerStop is not null)
            _ = _handlerStop.CancelAsync();
    }

    // From here on: what the connection's reader calls.

    /// <summary>Where the frame's payload belongs; null if the call takes none any more.</summary>
    public Memory<byte>? BeginPart(PeerFrame frame)
    {
        lock (_gate)
        {
            if (IsOver || _receivedAll)
                return null;
            _received += frame.Cost;
            if (_received > _allowed)
                throw new PeerProtocolException("more was sent than there was credit for");
            if ((_incoming is null) != (frame.Kind == PeerFrameKind.Message))
                throw new PeerProtocolException("a message that does not begin with its beginning");
            if (_incoming is null)
                (_incoming, _incomingFilled) = (_connection.Buffers.TryRent((int)frame.Argument), 0);
            else if (frame.Argument != _incomingFilled)
                throw new PeerProtocolException("a part at the wrong place");
            if (frame.Length > _incoming?.Length - _incomingFilled)
                throw new PeerProtocolException("a message longer than it said");
            if (_incoming is not null)
            {
                _filling = true;
                _incoming.Cost += frame.Cost;
                return _incoming.Memory.Slice(_incomingFilled, frame.Length);
            }
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
            _filling = false;
            _incomingFilled += length;
            if (IsOver)
            {
                DropArrived();
                return;
            }
            start = false;
            if (_incomingFilled == _incoming!.Length)
            {
                start = _handler is not null && _requestBuffer is null;
                if (start)
                    TakeRequest(_incoming);
                else
                    _arrived.Enqueue(_incoming);
                _incoming = null;
            }
            credit = DueCredit();
        }
        if (credit > 0)
            _connection.Outbox.Post(new(PeerFrameKind.Credit, Id, 0, credit));
        if (start)
            _connection.StartHandler(this);
        else
            _readable.Set();
    }

    public void EndReceiving(bool otherSideDone)
    {
        bool over;
        lock (_gate)
        {
            if (_incoming is not null || (_handler is not null && _requestBuffer is null))
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

    void TakeRequest(PeerBuffer request)
    {
        (_requestBuffer, _request) = (request, request.Memory);
        _consumed += request.Cost;
    }

    /// <summary>Read messages give back what they took. A message larger than the window, when no other is unread, is let in whole:
    /// its reader can do nothing before it is complete.</summary>
    uint DueCredit()
    {
        var room = _consumed + _window;
        if (_arrived.Count == 0 && _incoming?.Length > _window / 2)
            room += _incoming.Cost;
        if (room - _allowed < _window / 4 || _receivedAll)
            return 0;
        var credit = room - _allowed;
        _allowed = room;
        return (uint)credit;
    }

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
            throw new PeerException(fault, $"{Method} at {_connection.PeerName}: {message}", inner);
    }

    void DropArrived()
    {
        while (_arrived.TryDequeue(out var message))
            message.Dispose();
        if (_filling)
            return;
        _incoming?.Dispose();
        _incoming = null;
    }

    void Leave()
    {
        _connection.Remove(this);
        lock (_gate)
            _deadline?.Dispose();
    }

    static string Trimmed(string message) =>
        message.Length <= Limits.PeerErrorBytesMax / 4 ? message : message[..(Limits.PeerErrorBytesMax / 4)];
}
