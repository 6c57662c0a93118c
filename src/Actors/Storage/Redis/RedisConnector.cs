using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>Opens connections to one Redis and looks whether it is fit to hold what must last.</summary>
sealed partial class RedisConnector : IDisposable
{
    internal static readonly Version Oldest = new(6, 2);

    readonly RedisAddress _address;
    readonly ConfigurationOptions _options;
    readonly SocketManager _sockets;
    readonly TimeProvider _time;
    readonly TimeSpan _timeout;
    readonly ILogger _logger;
    bool _warned;

    /// <param name="role">What the connection is for: shown to operators in messages and in CLIENT LIST.</param>
    /// <exception cref="StoreException">The address cannot be read.</exception>
    public RedisConnector(string address, string role, TimeSpan timeout, TimeProvider time, ILogger logger)
    {
        (_time, _timeout, _logger) = (time, timeout, logger);
        _address = RedisAddress.Parse(address);
        if (_address.User is not (null or "default"))
        {
            throw new StoreException($"Redis ({role}): user={_address.User} cannot be used, for the client library gives a "
                + "password only: give the password of Redis' default user. (Caches may have a user: --redis-spill.)");
        }
        _options = _address.Options;
        Name = $"Redis ({role}) at {string.Join(", ", _options.EndPoints.Select(RedisAddress.Text))}";
        _sockets = new SocketManager($"hearth-{role}", useHighPrioritySocketThreads: true);
        var milliseconds = (int)timeout.TotalMilliseconds;
        _options.ClientName = $"hearth-{role}";
        _options.SocketManager = _sockets;
        _options.AbortOnConnectFail = true;
        _options.ConnectRetry = 1;
        _options.ConnectTimeout = milliseconds;
        _options.SyncTimeout = milliseconds;
        _options.ResponseTimeout = milliseconds * 2;
        _options.KeepAlive = 1;
        _options.TieBreaker = "";
        _options.ConfigurationChannel = "";
        // No subscription, so no second socket; nothing that could harm a server is ever sent.
        _options.CommandMap = CommandMap.Create(
            ["SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "PUBLISH"], available: false);
    }

    public string Name { get; }

    /// <summary>As the last connection told.</summary>
    public bool IsCluster { get; private set; }

    public void Dispose() => _sockets.Dispose();

    /// <param name="patience">How long the server may take to answer.</param>
    /// <exception cref="StoreException">It cannot be reached, or is not fit.</exception>
    public async Task<ConnectionMultiplexer> OpenAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var options = _options.Clone();
        options.ConnectTimeout = (int)patience.TotalMilliseconds;
        var opening = ConnectionMultiplexer.ConnectAsync(options);
        try
        {
            var connection = await opening.WaitAsync(patience + (_timeout * 2), _time, cancellationToken);
            await CheckAsync(connection, cancellationToken);
            return connection;
        }
        catch (Exception e)
        {
            // It may still come to be after its time.
            _ = opening.ContinueWith(Discard, TaskScheduler.Default);
            if (e is RedisException or TimeoutException or ObjectDisposedException)
                throw await FailedAsync(e, cancellationToken);
            throw;
        }
    }

    static void Discard(Task<ConnectionMultiplexer> opening)
    {
        if (opening.IsCompletedSuccessfully)
            opening.Result.Close(allowCommandsToComplete: false);
        else
            _ = opening.Exception;
    }

    async Task<StoreException> FailedAsync(Exception e, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return new StoreException($"{Name} cannot be used: {await RedisProbe.AskAsync(_address, either.Token)}", e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new StoreException($"{Name} cannot be used: it takes connections, but does not answer"
                + (_options.Ssl ? ": does it speak TLS?" : "."), e);
        }
    }

    async Task CheckAsync(ConnectionMultiplexer connection, CancellationToken cancellationToken)
    {
        var servers = connection.GetEndPoints().Select(e => connection.GetServer(e)).Where(s => s.IsConnected).ToList();
        if (servers.Count > 0 && servers.All(s => s.IsSlave))
            throw new StoreException($"{Name} is a read-only replica: name the primary.");
        if (servers.Find(s => !s.IsSlave) is { } primary && primary.Version < Oldest)
            throw new StoreException($"{Name} is Redis {primary.Version}; {Oldest} or newer is needed.");
        IsCluster = servers.Exists(s => s.ServerType == ServerType.Cluster);
        var info = (string?)await connection.GetDatabase().ExecuteAsync("INFO", [], CommandFlags.DemandMaster)
            .WaitAsync(_timeout, _time, cancellationToken) ?? "";
        Warn(EvictionPolicy().Match(info).Groups[1].Value, AppendOnly().Match(info).Groups[1].Value);
    }

    void Warn(string eviction, string appendOnly)
    {
        if (!_warned && eviction is not ("" or "noeviction"))
            LogEvicts(_logger, Name, eviction);
        if (!_warned && appendOnly == "0")
            LogForgets(_logger, Name);
        _warned = true;
    }

    [GeneratedRegex(@"maxmemory_policy:(\S+)")]
    private static partial Regex EvictionPolicy();

    [GeneratedRegex(@"aof_enabled:(\d)")]
    private static partial Regex AppendOnly();

    [LoggerMessage(EventId = 153, Level = LogLevel.Warning, Message =
        "{Redis} drops data when it is full (maxmemory-policy {Policy}): conversations would be lost. "
        + "Set maxmemory-policy noeviction")]
    static partial void LogEvicts(ILogger logger, string redis, string policy);

    [LoggerMessage(EventId = 155, Level = LogLevel.Warning, Message =
        "{Redis} keeps no log of its writes: turns that were answered are lost when it restarts. Set appendonly yes")]
    static partial void LogForgets(ILogger logger, string redis);
}
