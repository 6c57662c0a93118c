using Hearth.Actors.Transport;

namespace Hearth.Tests.Shared;

/// <summary>What happens to one message between two processes.</summary>
public enum PeerDelivery
{
    Deliver,
    /// <summary>It never arrives, and nobody is told.</summary>
    Lose,
    /// <summary>The connection breaks instead: both sides see Lost.</summary>
    Break,
    /// <summary>It arrives, and then the connection breaks.</summary>
    DeliverThenBreak,
}

/// <summary>A message that is being sent.</summary>
/// <param name="Index">Messages of this call before it, both ways; the request is 0.</param>
public readonly record struct PeerSend(string From, string To, string Method, int Index, ReadOnlyMemory<byte> Message);

/// <summary>A network in memory, for processes that live in one: calls behave as over TCP, and break where a test says so.
/// Runs single-threaded too: nothing in it starts a thread. Thread-safe.</summary>
public sealed class MemoryPeerNetwork(TimeProvider time)
{
    readonly TimeProvider _time = time;
    readonly Lock _lock = new();
    readonly Dictionary<string, IReadOnlyDictionary<string, PeerHandler>> _listeners = [];
    readonly HashSet<MemoryCall> _calls = [];

    /// <summary>Decides on every message; by default all arrive.</summary>
    public Func<PeerSend, PeerDelivery> Fault { get; set; } = _ => PeerDelivery.Deliver;

    /// <summary>How long a message takes.</summary>
    public Func<PeerSend, TimeSpan> Delay { get; set; } = _ => TimeSpan.Zero;

    /// <summary>Whether a process reaches another at all.</summary>
    public Func<string, string, bool> Reaches { get; set; } = (_, _) => true;

    /// <summary>Calls that are not over.</summary>
    public int Calls
    {
        get
        {
            lock (_lock)
                return _calls.Count;
        }
    }

    public void Listen(string address, IReadOnlyDictionary<string, PeerHandler> handlers)
    {
        lock (_lock)
            _listeners[address] = handlers;
    }

    /// <summary>The process at this address is gone: its calls break, and new ones do not reach it.</summary>
    public void Kill(string address)
    {
        lock (_lock)
            _listeners.Remove(address);
        BreakCalls(call => call.Callee == address || call.Caller == address);
    }

    /// <summary>Breaks the connections between two processes once.</summary>
    public void BreakCalls(string one, string other) =>
        BreakCalls(call => (call.Caller, call.Callee) == (one, other) || (call.Caller, call.Callee) == (other, one));

    /// <summary>The network as the process at this address sees it.</summary>
    public IPeerNetwork From(string address) => new View(this, address);

    void BreakCalls(Func<MemoryCall, bool> which)
    {
        MemoryCall[] calls;
        lock (_lock)
            calls = [.. _calls.Where(which)];
        foreach (var call in calls)
            call.Break(PeerFault.Lost, "the connection broke", null);
    }

    PeerHandler? Find(string from, string to, string method)
    {
        lock (_lock)
        {
            return !Reaches(from, to) || !_listeners.TryGetValue(to, out var handlers)
                ? throw new PeerException(PeerFault.Unreachable, $"{to} does not answer {from}")
                : handlers.GetValueOrDefault(method);
        }
    }

    sealed class View(MemoryPeerNetwork network, string address) : IPeerNetwork
    {
        public ValueTask<PeerCall> OpenAsync(string peer, string method, ReadOnlyMemory<byte> request, PeerCallOptions options,
            CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var handler = network.Find(address, peer, method);
            var call = new MemoryCall(network, address, peer, method, request.ToArray());
            lock (network._lock)
                network._calls.Add(call);
            call.Begin(handler, options.Deadline);
            return ValueTask.FromResult<PeerCall>(call.CallerSide);
        }
    }

    /// <summary>A call between two sides.</summary>
    sealed class MemoryCall : IDisposable
    {
        public const int UnreadMax = 64;

        readonly MemoryPeerNetwork _network;
        readonly CancellationTokenSource _handlerStop = new();
        readonly Side _callee;
        ITimer? _deadline;
        int _messages = 1;
        bool _over;

        public MemoryCall(MemoryPeerNetwork network, string caller, string callee, string method, byte[] request)
        {
            (_network, Caller, Callee, Method, Request) = (network, caller, callee, method, request);
            (CallerSide, _callee) = (new Side(this, caller, callee), new Side(this, callee, caller));
        }

        public string Caller { get; }
        public string Callee { get; }
        public string Method { get; }
        public byte[] Request { get; }
        public Side CallerSide { get; }

        public void Begin(PeerHandler? handler, TimeSpan? deadline)
        {
            if (deadline is { } due)
            {
                _deadline = _network._time.CreateTimer(
                    _ => Break(PeerFault.Deadline, "the call's time is over", null), null, due, Timeout.InfiniteTimeSpan);
            }
            var fault = _network.Fault(new PeerSend(Caller, Callee, Method, 0, Request));
            if (fault is PeerDelivery.Break)
                Break(PeerFault.Lost, "the connection broke", null);
            else if (fault is not PeerDelivery.Lose && handler is null)
                Break(PeerFault.Refused, $"no method {Method}", null);
            else if (fault is not PeerDelivery.Lose)
                _ = HandleAsync(handler!);
            if (fault is PeerDelivery.DeliverThenBreak)
                Break(PeerFault.Lost, "the connection broke", null);
        }

        async Task HandleAsync(PeerHandler handler)
        {
            await Task.Yield();
            try
            {
                await handler(_callee, _handlerStop.Token);
                CallerSide.EndOfInput();
                _callee.CloseOutput();
                End();
            }
            catch (Exception e)
            {
                Break(PeerFault.Failed, e.Message, null);
            }
        }

        public async ValueTask CarryAsync(Side from, Side to, byte[] message, CancellationToken cancellationToken)
        {
            var send = new PeerSend(from.Self, from.Other, Method, Interlocked.Increment(ref _messages) - 1, message);
            if (_network.Delay(send) is var delay && delay > TimeSpan.Zero)
                await Task.Delay(delay, _network._time, cancellationToken);
            var fault = _network.Reaches(from.Self, from.Other) ? _network.Fault(send) : PeerDelivery.Lose;
            if (fault is PeerDelivery.Break)
                Break(PeerFault.Lost, "the connection broke", null);
            else if (fault is not PeerDelivery.Lose)
                await to.PutAsync(message, cancellationToken);
            if (fault is PeerDelivery.DeliverThenBreak)
                Break(PeerFault.Lost, "the connection broke", null);
            from.ThrowIfBroken();
        }

        public Side Facing(Side side) => side == CallerSide ? _callee : CallerSide;

        /// <param name="by">The side that gives up; null if it is nobody's will.</param>
        public void Break(PeerFault fault, string message, Side? by)
        {
            lock (_network._lock)
            {
                if (_over)
                    return;
                _over = true;
            }
            CallerSide.Break(fault, message, drop: fault is PeerFault.Aborted or PeerFault.Deadline || by == CallerSide);
            _callee.Break(fault, message, drop: fault is PeerFault.Aborted or PeerFault.Deadline || by == _callee);
            Forget();
            _handlerStop.Cancel();
        }

        public void Dispose() => _handlerStop.Dispose();

        void End()
        {
            lock (_network._lock)
                _over = true;
            Forget();
        }

        void Forget()
        {
            _deadline?.Dispose();
            lock (_network._lock)
                _network._calls.Remove(this);
        }
    }

    sealed class Side(MemoryCall call, string self, string other) : PeerCall
    {
        readonly Lock _lock = new();
        readonly Queue<byte[]> _unread = [];
        TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        PeerException? _broken;
        bool _inputEnded;
        bool _outputClosed;

        public string Self => self;
        public string Other => other;
        public override string Method => call.Method;
        public override ReadOnlyMemory<byte> Request => call.Request;

        public override async ValueTask<PeerMessage?> ReceiveAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                Task changed;
                lock (_lock)
                {
                    if (_unread.TryDequeue(out var message))
                    {
                        Change();
                        return new PeerMessage(message, null);
                    }
                    ThrowIfBroken();
                    if (_inputEnded)
                        return null;
                    changed = _changed.Task;
                }
                await changed.WaitAsync(cancellationToken);
            }
        }

        public override async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
        {
            ThrowIfBroken();
            if (_outputClosed)
                throw new PeerException(PeerFault.Aborted, "the other side is done");
            await call.CarryAsync(this, call.Facing(this), message.ToArray(), cancellationToken);
        }

        public override ValueTask CompleteAsync(CancellationToken cancellationToken)
        {
            ThrowIfBroken();
            _outputClosed = true;
            call.Facing(this).EndOfInput();
            return ValueTask.CompletedTask;
        }

        public override ValueTask DisposeAsync()
        {
            call.Break(PeerFault.Aborted, "the other side gave the call up", this);
            return ValueTask.CompletedTask;
        }

        public async ValueTask PutAsync(byte[] message, CancellationToken cancellationToken)
        {
            while (true)
            {
                Task changed;
                lock (_lock)
                {
                    if (_broken is not null)
                        return;
                    if (_unread.Count < MemoryCall.UnreadMax)
                    {
                        _unread.Enqueue(message);
                        Change();
                        return;
                    }
                    changed = _changed.Task;
                }
                await changed.WaitAsync(cancellationToken);
            }
        }

        /// <summary>The other side sends no more.</summary>
        public void EndOfInput()
        {
            lock (_lock)
            {
                _inputEnded = true;
                Change();
            }
        }

        /// <summary>The handler is done: what the caller still sends goes nowhere.</summary>
        public void CloseOutput()
        {
            call.CallerSide._outputClosed = true;
            _outputClosed = true;
        }

        public void Break(PeerFault fault, string message, bool drop)
        {
            lock (_lock)
            {
                _broken = new PeerException(fault, $"{call.Method} at {other}: {message}");
                if (drop)
                    _unread.Clear();
                Change();
            }
        }

        public void ThrowIfBroken()
        {
            lock (_lock)
            {
                if (_broken is { } broken)
                    throw new PeerException(broken.Fault, broken.Message);
            }
        }

        void Change()
        {
            _changed.SetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
