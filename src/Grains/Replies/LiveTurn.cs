using System.Runtime.CompilerServices;
using Hearth.Contracts;

namespace Hearth.Grains.Replies;

/// <summary>A turn that waits or runs: its numbered events, and those who read them. Thread-safe.
/// A reader that comes late gets the events from the first one on; when the last reader leaves, the turn is cancelled.</summary>
sealed class LiveTurn(string bodyHash) : IDisposable
{
    readonly Lock _lock = new();
    readonly List<TurnEvent> _events = [];
    readonly CancellationTokenSource _cancellation = new();
    TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int _readers;
    bool _ended;

    public string BodyHash => bodyHash;

    public CancellationToken Cancellation => _cancellation.Token;

    /// <summary>The events so far.</summary>
    public List<TurnEvent> Events
    {
        get
        {
            lock (_lock)
                return [.. _events];
        }
    }

    /// <summary>Counts one more reader, who must leave again.</summary>
    /// <returns>False if the turn has ended, or will without a result because it is cancelled.</returns>
    public bool TryJoin()
    {
        lock (_lock)
        {
            if (_ended || _cancellation.IsCancellationRequested)
                return false;
            _readers++;
            return true;
        }
    }

    public void Leave()
    {
        lock (_lock)
        {
            if (--_readers > 0 || _ended)
                return;
        }
        Cancel();
    }

    public void Cancel()
    {
        lock (_lock)
        {
            if (_ended)
                return;
        }
        _cancellation.Cancel();
    }

    /// <summary>Numbers the event and shows it to the readers.</summary>
    public void Append(TurnEvent e)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (_ended)
                return;
            _events.Add(e with { Sequence = _events.Count });
            _ended = e is TurnFinished or TurnFailed;
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        changed.SetResult();
    }

    public void Fail(TurnFailure failure) => Append(new TurnFailed { Failure = failure });

    /// <summary>All events from the first one to the last.</summary>
    public async IAsyncEnumerable<TurnEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var next = 0; ;)
        {
            TurnEvent? e = null;
            Task changed;
            lock (_lock)
            {
                if (next < _events.Count)
                    e = _events[next++];
                else if (_ended)
                    yield break;
                changed = _changed.Task;
            }
            if (e is not null)
                yield return e;
            else
                await changed.WaitAsync(cancellationToken);
        }
    }

    public void Dispose() => _cancellation.Dispose();
}
