using Hearth.Actors.Metrics;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>Calls scripts on Redis. Every call ends within its time, and says whether it may have written.
/// A connection that broke or did not answer is given up with all that waits on it, and a new one is made: nothing that was
/// given up is sent later, and no late answer is taken for another's. Thread-safe.</summary>
sealed partial class RedisLink : IAsyncDisposable
{
    static readonly TimeSpan _retryFirst = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan _retryLast = TimeSpan.FromMilliseconds(500);

    readonly RedisConnector _connector;
    readonly TimeSpan _timeout;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly CancellationTokenSource _stop = new();
    readonly Lock _lock = new();
    TaskCompletionSource<ConnectionMultiplexer> _connected = NewConnected();
    ConnectionMultiplexer? _connection;
    Task _restoring = Task.CompletedTask;
    long _lost;
    string _reason = "";
    int _calls;

    RedisLink(RedisConnector connector, TimeSpan timeout, TimeProvider time, ILogger logger) =>
        (_connector, _timeout, _time, _logger) = (connector, timeout, time, logger);

    /// <exception cref="StoreException">It cannot be reached, or is not fit.</exception>
    public static async Task<RedisLink> ConnectAsync(
        RedisConnector connector, TimeSpan timeout, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        var link = new RedisLink(connector, timeout, time, logger);
        // Nobody waits for an answer yet, and processes that start together make each other slow.
        link.Use(await connector.OpenAsync(timeout * Limits.RedisStartPatience, cancellationToken));
        return link;
    }

    /// <exception cref="StoreException">It did not answer in time, or refused.</exception>
    public async Task<RedisResult> RunAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        var began = _time.GetTimestamp();
        var connection = await ConnectionAsync(cancellationToken);
        try
        {
            return await SendAsync(connection, began,
                db => db.ScriptEvaluateAsync(script.Hash, keys, arguments, CommandFlags.DemandMaster), cancellationToken);
        }
        catch (RedisServerException e) when (RedisErrors.IsUnknownScript(e.Message))
        {
            return await EvaluateAsync(connection, began, script, keys, arguments, cancellationToken);
        }
        catch (RedisServerException e)
        {
            throw Refused(connection, script, e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task restoring;
        lock (_lock)
            restoring = _restoring;
        await restoring;
        if (_connection is { } connection)
            Close(connection);
        _connected.TrySetException(new StoreException("The store is closed."));
        _connector.Dispose();
        _stop.Dispose();
    }

    /// <summary>The server has never seen the script, or forgot it: its text goes with the call.</summary>
    async Task<RedisResult> EvaluateAsync(ConnectionMultiplexer connection, long began, RedisScript script, RedisKey[] keys,
        RedisValue[] arguments, CancellationToken cancellationToken)
    {
        object[] words = [script.Text, keys.Length, .. keys, .. arguments];
        try
        {
            return await SendAsync(connection, began,
                db => db.ExecuteAsync("EVAL", words, CommandFlags.DemandMaster), cancellationToken);
        }
        catch (RedisServerException e)
        {
            throw Refused(connection, script, e);
        }
    }

    async Task<RedisResult> SendAsync(ConnectionMultiplexer connection, long began, Func<IDatabase, Task<RedisResult>> send,
        CancellationToken cancellationToken)
    {
        var left = _timeout - _time.GetElapsedTime(began);
        if (left <= TimeSpan.Zero || Volatile.Read(ref _calls) >= Limits.RedisCallsWaiting)
            throw new StoreException($"Redis is too busy: {_calls} calls wait for it.");
        Task<RedisResult> answer;
        try
        {
            answer = send(connection.GetDatabase());
        }
        catch (Exception e) when (e is RedisException or ObjectDisposedException or TimeoutException)
        {
            Lose(connection, e.Message);
            throw new StoreException($"Redis could not be asked: {e.Message}", e);
        }
        Interlocked.Increment(ref _calls);
        _ = answer.ContinueWith(Settle, TaskScheduler.Default);
        try
        {
            return await answer.WaitAsync(left, _time, cancellationToken);
        }
        catch (TimeoutException e)
        {
            // A call that waited for the connection itself had little time left: that says nothing about the connection.
            if (left > _timeout / 2)
                Lose(connection, $"no answer in {_timeout.TotalSeconds:0.##} s");
            throw new StoreException($"Redis did not answer in {_timeout.TotalSeconds:0.##} s.", e, outcomeUnknown: true);
        }
        catch (Exception e) when (e is RedisConnectionException or ObjectDisposedException or TaskCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            Lose(connection, e.Message);
            var unsent = e is RedisConnectionException { CommandStatus: CommandStatus.WaitingToBeSent };
            throw new StoreException($"The connection to Redis broke: {e.Message}", e, outcomeUnknown: !unsent);
        }
    }

    /// <summary>An answer that nobody waits for any more ends here, whatever it is.</summary>
    void Settle(Task<RedisResult> answer)
    {
        _ = answer.Exception;
        Interlocked.Decrement(ref _calls);
    }

    StoreException Refused(ConnectionMultiplexer connection, RedisScript script, RedisServerException e)
    {
        if (RedisErrors.IsOfAnotherServer(e.Message))
            Lose(connection, e.Message);
        return RedisErrors.Of(e.Message, script.Name, e);
    }

    /// <summary>Right after a loss a call waits for the new connection; later it fails at once.</summary>
    ValueTask<ConnectionMultiplexer> ConnectionAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_connection is { } connection)
                return ValueTask.FromResult(connection);
            var left = _timeout - _time.GetElapsedTime(_lost);
            return left <= TimeSpan.Zero
                ? ValueTask.FromException<ConnectionMultiplexer>(Unreachable())
                : new(WaitAsync(_connected.Task, left, cancellationToken));
        }
    }

    async Task<ConnectionMultiplexer> WaitAsync(
        Task<ConnectionMultiplexer> connected, TimeSpan left, CancellationToken cancellationToken)
    {
        try
        {
            return await connected.WaitAsync(left, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw Unreachable();
        }
    }

    StoreException Unreachable() => new($"{_connector.Name} cannot be reached: {_reason}");

    void Use(ConnectionMultiplexer connection)
    {
        lock (_lock)
        {
            _connection = connection;
            _connected.TrySetResult(connection);
        }
        connection.ConnectionFailed += (_, e) =>
        {
            if (!_connector.IsCluster)
                Lose(connection, $"{e.FailureType} {e.Exception?.Message}");
        };
        if (!connection.IsConnected)
            Lose(connection, "the connection broke at once");
    }

    /// <summary>Of a cluster the library keeps the connections: one server that hangs is no reason to leave the others.</summary>
    void Lose(ConnectionMultiplexer connection, string reason)
    {
        lock (_lock)
        {
            if (_connection != connection || _stop.IsCancellationRequested || (_connector.IsCluster && connection.IsConnected))
                return;
            (_connection, _lost, _reason, _connected) = (null, _time.GetTimestamp(), reason, NewConnected());
            _restoring = RestoreAsync(connection);
        }
        LogLost(_logger, _connector.Name, reason);
    }

    async Task RestoreAsync(ConnectionMultiplexer broken)
    {
        await Task.Yield();
        Close(broken);
        for (var wait = _retryFirst; !_stop.IsCancellationRequested; wait = wait * 2 < _retryLast ? wait * 2 : _retryLast)
        {
            try
            {
                Use(await _connector.OpenAsync(_timeout, _stop.Token));
                var away = _time.GetElapsedTime(_lost).TotalSeconds;
                LogRestored(_logger, _connector.Name, away);
                RedisRole.Control.Reconnected();
                return;
            }
            catch (StoreException e)
            {
                _reason = e.Message;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            await Task.Delay(wait, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    void Close(ConnectionMultiplexer connection)
    {
        try
        {
            connection.Close(allowCommandsToComplete: false);
        }
        catch (Exception e) when (e is RedisException or ObjectDisposedException or TimeoutException)
        {
            LogCloseFailed(_logger, _connector.Name, e.Message);
        }
    }

    static TaskCompletionSource<ConnectionMultiplexer> NewConnected()
    {
        var connected = new TaskCompletionSource<ConnectionMultiplexer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = connected.Task.ContinueWith(t => t.Exception, TaskScheduler.Default);
        return connected;
    }

    [LoggerMessage(EventId = 150, Level = LogLevel.Warning, Message = "{Redis}: connection lost ({Reason}); connecting again")]
    static partial void LogLost(ILogger logger, string redis, string reason);

    [LoggerMessage(EventId = 151, Level = LogLevel.Information, Message = "{Redis}: connected again after {Seconds:0.00} s")]
    static partial void LogRestored(ILogger logger, string redis, double seconds);

    [LoggerMessage(EventId = 152, Level = LogLevel.Debug, Message = "{Redis}: the broken connection did not close ({Reason})")]
    static partial void LogCloseFailed(ILogger logger, string redis, string reason);
}
