using Hearth.Actors;

namespace Hearth.Grains;

/// <summary>Lets one thing at a time act on a conversation, in the order in which they came: a message, or a move of the whole
/// conversation to another silo, which suspends the reply that runs. Once the conversation has moved, nothing acts on it any
/// more.
/// Thread-safe.</summary>
sealed class TurnGate
{
    readonly Lock _lock = new();
    readonly LinkedList<TaskCompletionSource> _waiting = [];
    CancellationToken _suspension;
    Action _suspend = () => { };
    string? _movedTo;
    bool _taken;

    public TurnGate() => RenewSuspension();

    /// <summary>Ends a running reply at the next token, because a move waits.</summary>
    public CancellationToken Suspension
    {
        get
        {
            lock (_lock)
                return _suspension;
        }
    }

    /// <exception cref="GrainRefusedException">The conversation has moved.</exception>
    public async Task<T> RunAsync<T>(Func<Task<T>> message)
    {
        await EnterAsync(CancellationToken.None);
        try
        {
            ThrowIfMoved();
            return await message();
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Lets a waiting move act in the middle of a message.</summary>
    /// <exception cref="GrainRefusedException">The conversation has moved; the message must end.</exception>
    public async Task YieldAsync()
    {
        Leave();
        await EnterAsync(CancellationToken.None);
        ThrowIfMoved();
    }

    /// <summary>Suspends what runs, and keeps everything else from running until <see cref="Thaw"/>.</summary>
    /// <exception cref="OperationCanceledException">What runs did not let go in time; nothing is held.</exception>
    /// <exception cref="GrainRefusedException">The conversation has moved.</exception>
    public async Task FreezeAsync(CancellationToken cancellationToken)
    {
        Action suspend;
        lock (_lock)
            suspend = _suspend;
        suspend();
        try
        {
            await EnterAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            RenewSuspension();
            throw;
        }
        if (_movedTo is null)
            return;
        Leave();
        ThrowIfMoved();
    }

    /// <param name="movedTo">The silo that has the conversation now; null if it stays.</param>
    public void Thaw(string? movedTo)
    {
        lock (_lock)
            _movedTo = movedTo;
        RenewSuspension();
        Leave();
    }

    void RenewSuspension()
    {
        var source = new CancellationTokenSource();
        lock (_lock)
            (_suspension, _suspend) = (source.Token, source.Cancel);
    }

    async Task EnterAsync(CancellationToken cancellationToken)
    {
        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (!_taken)
            {
                _taken = true;
                return;
            }
            _waiting.AddLast(turn);
        }
        await using var cancelled = cancellationToken.Register(() =>
        {
            lock (_lock)
            {
                if (!_waiting.Remove(turn))
                    return;
            }
            turn.SetCanceled(cancellationToken);
        });
        await turn.Task;
    }

    void Leave()
    {
        TaskCompletionSource next;
        lock (_lock)
        {
            if (_waiting.First is not { } first)
            {
                _taken = false;
                return;
            }
            next = first.Value;
            _waiting.RemoveFirst();
        }
        next.SetResult();
    }

    void ThrowIfMoved()
    {
        lock (_lock)
        {
            if (_movedTo is not null)
            {
                throw new GrainRefusedException(RefusalKind.OwnedElsewhere, $"The conversation has moved to {_movedTo}.",
                    _movedTo);
            }
        }
    }
}
