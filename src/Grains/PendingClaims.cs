using Hearth.Actors;
using Hearth.Contracts;

namespace Hearth.Grains;

/// <summary>Lets the turns that an earlier owner left pending go first, for a while: a reply that somebody has seen the
/// beginning of
/// goes on from the history that it began with, so nothing may come in between. Not thread-safe.</summary>
sealed class PendingClaims
{
    readonly HashSet<TurnId> _pending;
    readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly ITimer? _timer;
    int _waiting;

    public PendingClaims(IEnumerable<TurnId> pending, TimeProvider time)
    {
        _pending = [.. pending];
        if (_pending.Count == 0)
            _over.SetResult();
        else
            _timer = time.CreateTimer(_ => _over.TrySetResult(), null, Limits.PendingFirst, Timeout.InfiniteTimeSpan);
    }

    public static PendingClaims None { get; } = new([], TimeProvider.System);

    /// <summary>Queues a turn: at once if it is one of them or all have come, else behind them.</summary>
    /// <param name="runs">It ran already where the conversation was: nothing comes before it.</param>
    /// <exception cref="GrainRefusedException">Too many wait already.</exception>
    public Task<bool> Claim(TurnId turn, bool runs, Func<Task<bool>> queue)
    {
        if (_over.Task.IsCompleted && _waiting == 0)
            return queue();
        if (_pending.Remove(turn))
        {
            var queued = queue();
            if (_pending.Count == 0 && _over.TrySetResult())
                _timer?.Dispose();
            return queued;
        }
        if (runs)
            return queue();
        if (_waiting == Actors.Limits.MailboxMessages)
            throw new GrainRefusedException(RefusalKind.Busy, $"{_waiting} turns wait already.");
        _waiting++;
        return WaitAsync(queue);
    }

    /// <summary>Nobody waits any longer.</summary>
    public void End() => _over.TrySetResult();

    async Task<bool> WaitAsync(Func<Task<bool>> queue)
    {
        await _over.Task;
        Interlocked.Decrement(ref _waiting);
        return await queue();
    }
}
