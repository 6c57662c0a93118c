using System.Runtime.CompilerServices;
using Hearth.Actors.Membership;
using Hearth.Contracts;
using Hearth.Grains.Telemetry;

namespace Hearth.Grains.Replies;

/// <summary>A turn that waits or runs: its numbered events, and those who read them. Thread-safe.
/// A reader that comes late gets the events from the first one on. When the last reader leaves, the turn is cancelled: at once if
/// it said so, after a while if only its connection broke.</summary>
/// <param name="turn">Null for a completion.</param>
/// <param name="lease">Without it no event is given out.</param>
/// <param name="place">Among those that wait; given back at the first event.</param>
sealed class LiveTurn(ChatTurn? turn, Lease lease, TimeProvider time, IDisposable? place = null) : IDisposable
{
    readonly Lock _lock = new();
    readonly List<TurnEvent> _events = [];
    readonly CancellationTokenSource _cancellation = new();
    TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    TurnFailure _cause = Failures.Cancelled;
    ITimer? _abandoned;
    long _bytes;
    int _readers;
    bool _beganAnew;
    bool _ended;

    public ChatTurn? Turn => turn;

    public CancellationToken Cancellation => _cancellation.Token;

    /// <summary>Why it was cancelled.</summary>
    public TurnFailure Cause
    {
        get
        {
            lock (_lock)
                return _cause;
        }
    }

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
            _abandoned?.Dispose();
            _abandoned = null;
            return true;
        }
    }

    /// <param name="lost">Whether the reader only vanished, and it or another one may come back.</param>
    public void Leave(bool lost = false)
    {
        lock (_lock)
        {
            if (--_readers > 0 || _ended)
                return;
        }
        if (lost)
            AwaitReader();
        else
            Cancel(CancelCause.ClientLeft);
    }

    /// <summary>Cancels the turn unless a reader comes within <see cref="Limits.AbandonedTurn"/>.</summary>
    public void AwaitReader()
    {
        lock (_lock)
        {
            if (_readers == 0 && !_ended)
                _abandoned ??= time.CreateTimer(_ => CancelAbandoned(), null, Limits.AbandonedTurn, Timeout.InfiniteTimeSpan);
        }
    }

    public void Cancel(CancelCause cause = CancelCause.Asked)
    {
        lock (_lock)
        {
            if (_ended || _cancellation.IsCancellationRequested)
                return;
            _cause = cause switch
            {
                CancelCause.TooLarge => Failures.TooLarge,
                CancelCause.Fenced => Failures.Elsewhere,
                _ => Failures.Cancelled,
            };
        }
        GrainMetrics.Cancelled(cause);
        _cancellation.Cancel();
    }

    void CancelAbandoned()
    {
        lock (_lock)
        {
            if (_readers > 0)
                return;
        }
        Cancel(CancelCause.Abandoned);
    }

    /// <summary>Numbers the event and shows it to the readers.</summary>
    public void Append(TurnEvent e)
    {
        TaskCompletionSource changed;
        bool tooLarge;
        lock (_lock)
        {
            if (_ended)
                return;
            _events.Add(e with { Sequence = _events.Count });
            _bytes += BytesOf(e);
            tooLarge = _bytes > Limits.LiveTurnBytesMax;
            if (e is TurnFinished or TurnFailed)
            {
                _ended = true;
                _abandoned?.Dispose();
            }
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        place?.Dispose();
        changed.SetResult();
        if (tooLarge)
            Cancel(CancelCause.TooLarge);
    }

    /// <summary>The turn has run before, from another history: who has seen the beginning of that cannot go on with
    /// this.</summary>
    public void BeginAnew()
    {
        lock (_lock)
            _beganAnew = true;
    }

    public void Fail(TurnFailure failure) => Append(new TurnFailed { Failure = failure });

    /// <summary>The events from one of them to the last; none for a number beyond the last.</summary>
    /// <param name="shown">The events before, as the reader has them, perhaps from another silo: choices that ran side by side
    /// may
    /// have come in another order there, so what follows is told by choice.</param>
    public async IAsyncEnumerable<TurnEvent> ReadAsync(
        int from, IReadOnlyList<TurnEvent> shown, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var passOver = shown.GroupBy(ChoiceOf).ToDictionary(c => c.Key, c => new Queue<TurnEvent>(c));
        for (int next = passOver.Count > 0 ? 0 : from, number = from; ;)
        {
            TurnEvent? e = null;
            Task changed;
            lock (_lock)
            {
                if (from > 0 && (_beganAnew || (shown.Count == 0 && _events is [TurnStarted { IsAnew: true }, ..])))
                    e = new TurnFailed { Failure = Failures.Overtaken };
                else if (next < _events.Count)
                    e = _events[next++];
                else if (_ended && number == from && _events[^1] is TurnFailed failed)
                    e = failed; // it failed before it came to where the reader is
                else if (_ended)
                    yield break;
                changed = _changed.Task;
            }
            if (e is null)
            {
                await changed.WaitAsync(cancellationToken);
            }
            else if (e is not (TurnFinished or TurnFailed)
                && passOver.GetValueOrDefault(ChoiceOf(e))?.TryDequeue(out var seen) == true)
            {
                if (!IsSame(seen, e))
                    yield return e = new TurnFailed { Failure = Failures.Overtaken, Sequence = number };
            }
            else
            {
                yield return e = await MayTellAsync(e with { Sequence = number++ }, cancellationToken);
            }
            if (e is TurnFinished or TurnFailed)
                yield break;
        }
    }

    public void Dispose() => _cancellation.Dispose();

    /// <returns>The event once the silo may speak, or the failure that it never will.</returns>
    async ValueTask<TurnEvent> MayTellAsync(TurnEvent e, CancellationToken cancellationToken)
    {
        try
        {
            if (!lease.IsHeld)
                await lease.HeldAsync(cancellationToken);
            return e;
        }
        catch (LeaseLostException lost)
        {
            return new TurnFailed { Failure = Failures.Of(lost)!, Sequence = e.Sequence };
        }
    }

    /// <summary>Whether the reader has seen this very event: the turn may have run anew since, from another history.</summary>
    static bool IsSame(TurnEvent seen, TurnEvent e) => (seen, e) switch
    {
        (TurnDelta a, TurnDelta b) => a.Text == b.Text,
        (TurnStarted a, TurnStarted b) => a.PromptTokens == b.PromptTokens,
        (ChoiceFinished, ChoiceFinished) => true,
        _ => false,
    };

    static int ChoiceOf(TurnEvent e) => e switch
    {
        TurnDelta delta => delta.Choice,
        ChoiceFinished choice => choice.Choice,
        _ => -1,
    };

    static long BytesOf(TurnEvent e)
    {
        const int eventBytes = 128, tokenBytes = 96;
        return e is TurnDelta delta
            ? eventBytes + 2L * delta.Text.Length + 4L * delta.Tokens.Count + delta.Logprobs.Sum(l =>
                tokenBytes * (1L + l.Top.Count))
            : eventBytes;
    }
}
