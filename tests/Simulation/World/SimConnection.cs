using Hearth.Actors.Transport;

namespace Hearth.Simulation.Tests.World;

/// <summary>One call between two processes, and what is under way in it.</summary>
sealed class SimConnection
{
    readonly SimNetwork _network;
    readonly Direction _toCallee;
    readonly Direction _toCaller;

    public SimConnection(SimNetwork network, SimProcess caller, SimProcess callee, string method, byte[] request)
    {
        (_network, Caller, Callee) = (network, caller, callee);
        CallerSide = new SimCall(this, caller, method, request, isCaller: true);
        CalleeSide = new SimCall(this, callee, method, request, isCaller: false);
        (_toCallee, _toCaller) = (new Direction(caller, callee), new Direction(callee, caller));
    }

    public SimProcess Caller { get; }
    public SimProcess Callee { get; }
    public SimCall CallerSide { get; }
    public SimCall CalleeSide { get; }

    public bool Has(SimProcess process) => Caller == process || Callee == process;

    public void Open(PeerHandler? handler, PeerCallOptions options)
    {
        if (options.Deadline is { } deadline)
            CallerSide.StartDeadline(deadline);
        Send(CallerSide, side =>
        {
            if (handler is null)
                side.Break(PeerFault.Refused, "an unknown method", tell: true);
            else
                side.Handle(handler);
        });
    }

    /// <summary>Brings something to the other side, after all that was sent before it.</summary>
    public void Send(SimCall from, Action<SimCall> effect)
    {
        var (direction, to) = from == CallerSide ? (_toCallee, CalleeSide) : (_toCaller, CallerSide);
        var world = _network.World;
        var due = world.Now + _network.Latency();
        direction.LastDue = due = due > direction.LastDue ? due : direction.LastDue;
        direction.UnderWay.Enqueue(() => effect(to));
        world.At(due - world.Now, () => Arrive(direction));
    }

    /// <summary>Both sides lose the call if things are still so after a while.</summary>
    public void LoseSoon(TimeSpan after, Func<bool> still) => _network.World.At(after, () =>
    {
        if (!still())
            return;
        _network.Forget(this);
        foreach (var side in (SimCall[])[CallerSide, CalleeSide])
            side.Process.Do(() => side.Break(PeerFault.Lost, "the connection broke", tell: false));
    });

    /// <summary>What a cut had held arrives.</summary>
    public void Flush(SimProcess from)
    {
        var direction = from == Caller ? _toCallee : _toCaller;
        for (; direction.Held > 0; direction.Held--)
            _network.World.At(_network.Latency(), () => Arrive(direction));
    }

    public void Over() => _network.Forget(this);

    void Arrive(Direction direction)
    {
        if (_network.IsCut(direction.From, direction.To))
        {
            direction.Held++;
        }
        else if (direction.UnderWay.TryDequeue(out var effect) && !direction.To.IsDead)
        {
            // What waits in a process is run in any order: so each takes what came first.
            direction.Arrived.Enqueue(effect);
            direction.To.Do(() => direction.Arrived.Dequeue()());
        }
    }

    sealed record Direction(SimProcess From, SimProcess To)
    {
        public Queue<Action> UnderWay { get; } = [];
        public Queue<Action> Arrived { get; } = [];
        public TimeSpan LastDue { get; set; }
        public int Held { get; set; }
    }
}

/// <summary>One side of a call.</summary>
sealed class SimCall(SimConnection connection, SimProcess process, string method, byte[] request, bool isCaller) : PeerCall
{
    const int Window = 16;

    readonly Queue<byte[]> _arrived = [];
    readonly CancellationTokenSource _stop = new();
    TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    (PeerFault Fault, string Message)? _broken;
    ITimer? _deadline;
    int _credit = Window;
    bool _sentAll;
    bool _receivedAll;
    bool _otherSideDone;

    public SimProcess Process => process;
    public override string Method => method;
    public override ReadOnlyMemory<byte> Request => request;

    bool IsOver => _broken is not null || _otherSideDone || (_sentAll && _receivedAll);

    public override async ValueTask<PeerMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            CheckProcess();
            if (_arrived.TryDequeue(out var message))
            {
                if (!IsOver)
                    connection.Send(this, side => side.AddCredit());
                return new PeerMessage(message, null);
            }
            ThrowIfBroken();
            if (_receivedAll)
                return null;
            await _changed.Task.WaitAsync(cancellationToken);
        }
    }

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        var copy = message.ToArray();
        while (true)
        {
            CheckProcess();
            ThrowIfBroken();
            if (_sentAll || _otherSideDone)
                throw new PeerException(PeerFault.Aborted, $"{method}: the call is complete");
            if (_credit > 0)
                break;
            await _changed.Task.WaitAsync(cancellationToken);
        }
        _credit--;
        connection.Send(this, side => side.Arrived(copy));
    }

    public override ValueTask CompleteAsync(CancellationToken cancellationToken)
    {
        CheckProcess();
        ThrowIfBroken();
        if (_sentAll || _otherSideDone)
            return ValueTask.CompletedTask;
        _sentAll = true;
        connection.Send(this, side => side.EndReceiving(false));
        return ValueTask.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        Break(PeerFault.Aborted, "the call was given up on this side", tell: true);
        return ValueTask.CompletedTask;
    }

    public void StartDeadline(TimeSpan due) => _deadline = process.Time.CreateTimer(
        _ => Break(PeerFault.Deadline, "the call's time is over", tell: true), null, due, Timeout.InfiniteTimeSpan);

    public void Handle(PeerHandler handler) => _ = HandleAsync(handler);

    public void Break(PeerFault fault, string message, bool tell)
    {
        if (IsOver)
            return;
        _broken = (fault, message);
        if (fault is PeerFault.Aborted or PeerFault.Deadline)
            _arrived.Clear();
        if (tell)
            connection.Send(this, side => side.Break(fault, message, tell: false));
        _deadline?.Dispose();
        _stop.Cancel();
        Changed();
    }

    async Task HandleAsync(PeerHandler handler)
    {
        try
        {
            await handler(this, _stop.Token);
            if (_broken is not null)
                return;
            (_sentAll, _receivedAll, _otherSideDone) = (true, true, true);
            connection.Send(this, side => side.EndReceiving(true));
        }
        catch (Exception e)
        {
            if (_broken is null && e is not PeerException)
                process.World.Log($"{process.Name}: the handler of {method} failed: {e.Message}");
            Break(PeerFault.Failed, e.Message, tell: true);
        }
    }

    void Arrived(byte[] message)
    {
        if (IsOver || _receivedAll)
            return;
        _arrived.Enqueue(message);
        Changed();
    }

    void EndReceiving(bool otherSideDone)
    {
        (_receivedAll, _otherSideDone) = (true, _otherSideDone || otherSideDone);
        if (IsOver)
            connection.Over();
        _deadline?.Dispose();
        Changed();
    }

    void AddCredit()
    {
        _credit++;
        Changed();
    }

    void Changed()
    {
        var changed = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }

    void ThrowIfBroken()
    {
        if (_broken is var (fault, message))
            throw new PeerException(fault, $"{method}: {message}");
    }

    void CheckProcess()
    {
        if (SimProcess.Running is { } running && running != process)
            process.World.Violate($"{running.Name} uses the {(isCaller ? "calling" : "called")} side of {process.Name}");
    }
}
