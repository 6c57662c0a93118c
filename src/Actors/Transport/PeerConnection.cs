using System.Text;

namespace Hearth.Actors.Transport;

/// <summary>One connection after its handshake: calls by number, one reader, and a timer that notices a silent peer. Only the
/// side that connected opens calls.</summary>
sealed class PeerConnection
{
    readonly PeerLine _line;
    readonly PeerInbox _inbox;
    readonly TimeProvider _time;
    readonly Func<string, PeerHandler?>? _findHandler;
    readonly Lock _gate = new();
    readonly Dictionary<uint, TcpPeerCall> _calls = [];
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    ITimer? _beat;
    uint _lastCall;
    int _handlers;
    bool _closed;
    bool _stopping;
    int _arrivalsSeen;
    int _silentBeats;
    int _idleBeats;

    /// <param name="findHandler">The serving side's; null on the side that calls.</param>
    public PeerConnection(
        PeerLine line, PeerInbox inbox, string peerName, bool bulk, PeerBuffers buffers, TimeProvider time,
        Func<string, PeerHandler?>? findHandler)
    {
        (_line, _inbox, _time, _findHandler) = (line, inbox, time, findHandler);
        (PeerName, Bulk, Buffers) = (peerName, bulk, buffers);
        Outbox = new PeerOutbox(line, e => Fail(e.Message, e));
    }

    /// <summary>Small where most bytes go past it.</summary>
    public static int InboxBytes(bool bulk) => bulk ? 16 << 10 : 64 << 10;

    public string PeerName { get; }
    public bool Bulk { get; }
    public int FrameBytesMax => Bulk ? Limits.PeerBulkFrameBytesMax : Limits.PeerFrameBytesMax;
    public PeerBuffers Buffers { get; }
    public PeerOutbox Outbox { get; }

    /// <summary>When the connection is closed and no handler of it runs.</summary>
    public Task Ended => _ended.Task;

    public bool IsClosed => Volatile.Read(ref _closed);

    public int Calls
    {
        get
        {
            lock (_gate)
                return _calls.Count;
        }
    }

    public void Start()
    {
        var beat = _time.CreateTimer(static c => ((PeerConnection)c!).Beat(), this, Limits.PeerBeat, Limits.PeerBeat);
        lock (_gate)
            _beat = beat;
        _ = ReadAsync();
    }

    /// <summary>Null when the connection is closed: nothing was sent.</summary>
    public async ValueTask<PeerCall?> OpenAsync(
        string method, ReadOnlyMemory<byte> request, TimeSpan? deadline, CancellationToken cancellationToken)
    {
        TcpPeerCall.CheckLength(request);
        TcpPeerCall call;
        lock (_gate)
        {
            if (_closed)
                return null;
            if (_calls.Count >= Limits.PeerCallsMax)
                throw new PeerException(PeerFault.Refused, $"{PeerName} has {Limits.PeerCallsMax} calls from here already");
            while (++_lastCall == 0 || _calls.ContainsKey(_lastCall))
            {
            }
            _calls.Add(_lastCall, call = new TcpPeerCall(this, _lastCall, method));
        }
        try
        {
            if (deadline is { } due)
                call.StartDeadline(due, _time);
            var name = Encoding.UTF8.GetBytes(method);
            var milliseconds = deadline is null ? 0 : (uint)Math.Clamp(deadline.Value.TotalMilliseconds, 1, uint.MaxValue);
            var open = new PeerFrame(PeerFrameKind.Open, call.Id, name.Length, milliseconds);
            if (!Outbox.TryQueue(open, name))
                await Outbox.SendAsync(open, name);
            await call.SendRequestAsync(request, cancellationToken);
            return call;
        }
        catch (PeerException)
        {
            // The peer's answer came before all of the request was sent: it shows at the first receive.
            return call;
        }
        catch
        {
            await call.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends every call as Lost.</summary>
    public void Fail(string message, Exception? inner = null)
    {
        TcpPeerCall[] calls;
        lock (_gate)
        {
            if (_closed)
                return;
            _closed = true;
            calls = [.. _calls.Values];
            _calls.Clear();
            _beat?.Dispose();
            if (_handlers == 0)
                _ended.TrySetResult();
        }
        _line.Dispose();
        foreach (var call in calls)
            call.Break(PeerFault.Lost, message, tell: false, inner: inner);
    }

    /// <summary>Takes no new calls, and when the last one has ended closes this side; the peer then closes the other.</summary>
    public void Stop()
    {
        bool idle;
        lock (_gate)
        {
            _stopping = true;
            idle = _handlers == 0 && _calls.Count == 0;
        }
        if (idle)
            _ = Outbox.CloseAsync();
    }

    public void Remove(TcpPeerCall call)
    {
        lock (_gate)
            _calls.Remove(call.Id);
    }

    public void StartHandler(ServedPeerCall call)
    {
        lock (_gate)
            _handlers++;
        ThreadPool.UnsafeQueueUserWorkItem(call, preferLocal: false);
    }

    public void HandlerEnded()
    {
        bool last;
        lock (_gate)
        {
            last = --_handlers == 0;
            if (last && _closed)
                _ended.TrySetResult();
        }
        if (last && _stopping)
            Stop();
    }

    async Task ReadAsync()
    {
        try
        {
            while (true)
            {
                var head = await _inbox.ReadAsync(PeerFrame.Bytes, CancellationToken.None);
                if (head.IsEmpty)
                    break;
                await ReadFrameAsync(PeerFrame.Read(head.Span, FrameBytesMax));
            }
            Fail("the peer closed the connection");
        }
        catch (Exception e)
        {
            Fail(e is PeerProtocolException ? $"the peer broke the protocol: {e.Message}" : e.Message, e);
        }
    }

    async ValueTask ReadFrameAsync(PeerFrame frame)
    {
        var call = Find(frame.Call);
        switch (frame.Kind)
        {
            case PeerFrameKind.Open:
                Accept(frame, Encoding.UTF8.GetString((await _inbox.ReadAsync(frame.Length, CancellationToken.None)).Span));
                break;
            case PeerFrameKind.Message or PeerFrameKind.More:
                if (call?.BeginPart(frame) is { } target)
                {
                    await _inbox.FillAsync(target);
                    call.EndPart(frame.Length);
                }
                else
                {
                    await _inbox.SkipAsync(frame.Length);
                }
                break;
            case PeerFrameKind.Complete:
                call?.EndReceiving(frame.Argument == 1);
                break;
            case PeerFrameKind.Abort:
                var why = Encoding.UTF8.GetString((await _inbox.ReadAsync(frame.Length, CancellationToken.None)).Span);
                call?.Break((PeerFault)frame.Argument, why, tell: false);
                break;
            case PeerFrameKind.Credit:
                call?.AddCredit(frame.Argument);
                break;
            case PeerFrameKind.Beat:
                break;
        }
    }

    TcpPeerCall? Find(uint id)
    {
        lock (_gate)
            return _calls.GetValueOrDefault(id);
    }

    void Accept(PeerFrame frame, string method)
    {
        if (_findHandler is null)
            throw new PeerProtocolException("a call from the side that was called");
        var handler = _findHandler(method);
        TcpPeerCall? call = null;
        (PeerFault, string)? refusal = null;
        lock (_gate)
        {
            if (_calls.ContainsKey(frame.Call))
                throw new PeerProtocolException($"call {frame.Call} was opened twice");
            if (_stopping)
                refusal = (PeerFault.Unreachable, "the peer is stopping");
            else if (handler is null)
                refusal = (PeerFault.Refused, "the peer knows no such method");
            else if (_calls.Count >= Limits.PeerCallsMax)
                refusal = (PeerFault.Refused, "the peer has too many calls");
            else
                _calls.Add(frame.Call, call = new ServedPeerCall(this, frame.Call, method, handler));
        }
        if (refusal is var (fault, why))
            Outbox.PostAbort(frame.Call, fault, why);
        else if (frame.Argument > 0)
            call!.StartDeadline(TimeSpan.FromMilliseconds(frame.Argument), _time);
    }

    /// <summary>Counts its own ticks rather than time: a process that was stopped or starved has not listened and may not
    /// judge.</summary>
    void Beat()
    {
        var arrivals = _inbox.Arrivals;
        _silentBeats = arrivals == _arrivalsSeen ? _silentBeats + 1 : 0;
        _arrivalsSeen = arrivals;
        _idleBeats = Bulk && _findHandler is null && Calls == 0 ? _idleBeats + 1 : 0;
        if (_silentBeats >= Limits.PeerSilentBeats)
            Fail("the peer is silent");
        else if (_idleBeats >= Limits.PeerBulkIdleBeats)
            Fail("idle");
        else
            Outbox.Post(new(PeerFrameKind.Beat, 0, 0, 0));
    }
}
