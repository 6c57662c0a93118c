using Hearth.Actors.Storage;
using Hearth.Contracts;

namespace Hearth.Grains;

/// <summary>Turns that are pending in the store, or may be, and that nobody here runs: left by an earlier owner, or ended here
/// while the store did not answer. Who asks for one has some time; then it gets its end. Thread-safe.</summary>
/// <param name="end">Ends them; tells those that it could not.</param>
sealed class UnendedTurns(
    TimeProvider time, Func<IReadOnlyList<UnendedTurn>, Task<IReadOnlyList<UnendedTurn>>> end)
{
    readonly Lock _lock = new();
    readonly List<UnendedTurn> _turns = [];
    ITimer? _timer;
    bool _stopped;

    /// <summary>What the store has as pending is all there is.</summary>
    public void Reset(IEnumerable<UnendedTurn> turns)
    {
        lock (_lock)
        {
            _turns.Clear();
            _timer?.Dispose();
            _timer = null;
        }
        Add(turns);
    }

    /// <summary>Beyond some, the next activation sees to them.</summary>
    public void Add(params IEnumerable<UnendedTurn> turns)
    {
        lock (_lock)
        {
            _turns.AddRange(turns.Take(Limits.UnendedTurnsMax - _turns.Count));
            if (_turns.Count > 0 && !_stopped)
                _timer ??= time.CreateTimer(_ => _ = EndAsync(), null, Limits.UnclaimedTurn, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>No timer any more.</summary>
    /// <returns>The turns that are left.</returns>
    public IReadOnlyList<UnendedTurn> Stop()
    {
        lock (_lock)
        {
            _stopped = true;
            return Take();
        }
    }

    async Task EndAsync()
    {
        IReadOnlyList<UnendedTurn> due;
        lock (_lock)
            due = Take();
        Add(await end(due));
    }

    UnendedTurn[] Take()
    {
        UnendedTurn[] all = [.. _turns];
        _turns.Clear();
        _timer?.Dispose();
        _timer = null;
        return all;
    }
}

sealed record UnendedTurn(TurnId Id, OperationStatus Status);
