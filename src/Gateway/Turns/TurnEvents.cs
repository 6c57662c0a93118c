using System.Runtime.CompilerServices;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>Reads a turn's events one by one and notices silence. Disposing it cancels a turn that is still running, at once or
/// after a while in which its client may come back and read on in another request.</summary>
sealed class TurnEvents : IAsyncDisposable
{
    static readonly TurnFailure s_brokenOff = new(TurnError.Internal, "The turn's events broke off.");

    readonly CancellationTokenSource _stop;
    readonly CancellationToken _client;
    readonly IAsyncEnumerator<TurnEvent> _events;
    readonly TimeProvider _time;
    readonly TimeSpan _linger;
    Task<bool>? _next;
    Task? _quiet;
    bool _ended;

    /// <param name="linger">How long the turn runs on after its reader left.</param>
    public TurnEvents(IAsyncEnumerable<TurnEvent> events, TimeProvider time, TimeSpan linger, CancellationToken client)
    {
        _stop = linger > TimeSpan.Zero
            ? new CancellationTokenSource() : CancellationTokenSource.CreateLinkedTokenSource(client);
        _events = events.GetAsyncEnumerator(_stop.Token);
        (_time, _linger, _client) = (time, linger, client);
    }

    /// <summary>The next event; a stream that ends before its last event counts as failed.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<TurnEvent> NextAsync()
    {
        var next = Next();
        return await (next.IsCompleted ? next : next.WaitAsync(_client)) ? Take() : BrokenOff();
    }

    /// <returns>The next event, or null after so much silence.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<TurnEvent?> NextAsync(TimeSpan silence)
    {
        var since = _time.GetTimestamp();
        for (var next = Next(); !next.IsCompleted;)
        {
            // One timer serves many events: when it fires, the silence may be younger.
            _quiet ??= Task.Delay(silence, _time, _client);
            if (await Task.WhenAny(next, _quiet) == next)
            {
                break;
            }
            _client.ThrowIfCancellationRequested();
            var left = silence - _time.GetElapsedTime(since);
            _quiet = left > TimeSpan.Zero ? Task.Delay(left, _time, _client) : null;
            if (_quiet is null)
            {
                return null;
            }
        }
        return await NextAsync();
    }

    Task<bool> Next() => _next ??= _events.MoveNextAsync().AsTask();

    TurnEvent Take()
    {
        _next = null;
        _ended = _events.Current is TurnFinished or TurnFailed;
        return _events.Current;
    }

    TurnFailed BrokenOff()
    {
        _ended = true;
        return new TurnFailed { Failure = s_brokenOff };
    }

    public async ValueTask DisposeAsync()
    {
        if (_linger > TimeSpan.Zero && !_ended)
        {
            await LingerAsync();
        }
        await _stop.CancelAsync();
        if (_next is { } pending)
        {
            await ((Task)pending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await _events.DisposeAsync();
        _stop.Dispose();
    }

    async ValueTask LingerAsync()
    {
        using var limit = new CancellationTokenSource(_linger, _time);
        while (!_ended)
        {
            var next = Next();
            await ((Task)next.WaitAsync(limit.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!next.IsCompletedSuccessfully || !next.Result)
            {
                return;
            }
            Take();
        }
    }
}
