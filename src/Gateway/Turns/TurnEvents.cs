using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>Reads a turn's events one by one and notices silence. Disposing it cancels a turn that is still running.</summary>
sealed class TurnEvents : IAsyncDisposable
{
    static readonly TurnFailure s_brokenOff = new(TurnError.Internal, "The turn's events broke off.");

    readonly CancellationTokenSource _stop;
    readonly IAsyncEnumerator<TurnEvent> _events;
    readonly TimeProvider _time;
    Task<bool>? _next;

    public TurnEvents(IAsyncEnumerable<TurnEvent> events, TimeProvider time, CancellationToken cancellationToken)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _events = events.GetAsyncEnumerator(_stop.Token);
        _time = time;
    }

    /// <summary>The next event; a stream that ends before its last event counts as failed.</summary>
    public async ValueTask<TurnEvent> NextAsync() => await Next() ? Take() : new TurnFailed { Failure = s_brokenOff };

    /// <returns>The next event, or null after so much silence.</returns>
    public async ValueTask<TurnEvent?> NextAsync(TimeSpan silence)
    {
        var next = Next();
        if (!next.IsCompleted)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            var quiet = Task.Delay(silence, _time, limit.Token);
            if (await Task.WhenAny(next, quiet) == quiet && !_stop.IsCancellationRequested)
            {
                return null;
            }
            await limit.CancelAsync();
        }
        return await NextAsync();
    }

    Task<bool> Next() => _next ??= _events.MoveNextAsync().AsTask();

    TurnEvent Take()
    {
        _next = null;
        return _events.Current;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_next is { } pending)
        {
            await ((Task)pending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await _events.DisposeAsync();
        _stop.Dispose();
    }
}
