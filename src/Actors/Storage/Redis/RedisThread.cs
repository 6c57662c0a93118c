using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>Calls scripts on Redis over one connection with a thread of its own. A process whose thread pool is starved must
/// still renew its lease: neither the call nor its limit of time needs the pool.</summary>
sealed class RedisThread : IDisposable
{
    const int MovesMax = 3;

    readonly RedisAddress _redis;
    readonly string _name;
    readonly TimeSpan _timeout;
    readonly TimeProvider _time;
    readonly BlockingCollection<Job> _jobs = new(Limits.MembershipCallsWaiting);
    readonly Thread _thread;
    RespConnection? _connection;
    EndPoint? _moved;
    int _server;

    public RedisThread(RedisAddress redis, string role, TimeSpan timeout, TimeProvider time)
    {
        (_redis, _name, _timeout, _time) = (redis, $"hearth-{role}", timeout, time);
        _thread = new Thread(Work) { IsBackground = true, Name = _name, Priority = ThreadPriority.AboveNormal };
        _thread.Start();
    }

    /// <returns>As <see cref="RespReader.Read()"/>.</returns>
    /// <exception cref="StoreException">It did not answer in time, or refused.</exception>
    public async Task<object?> RunAsync(
        RedisScript script, RedisKey[] keys, byte[][] arguments, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var job = new Job(script, keys, arguments, _time.GetTimestamp());
        if (_jobs.IsAddingCompleted || !_jobs.TryAdd(job, 0, CancellationToken.None))
            throw new StoreException("The membership's connection is closed, or too many calls wait for it.");
        return await job.Done.Task;
    }

    public void Dispose()
    {
        _jobs.CompleteAdding();
        _thread.Join();
        _jobs.Dispose();
    }

    void Work()
    {
        foreach (var job in _jobs.GetConsumingEnumerable())
        {
            try
            {
                job.Done.SetResult(Run(job));
            }
            catch (Exception e)
            {
                job.Done.SetException(e);
            }
        }
        Drop();
    }

    object? Run(Job job)
    {
        for (var moves = 0; ; moves++)
        {
            var connection = Connection(job);
            try
            {
                return Call(connection, job);
            }
            catch (RespErrorException e) when (e.Is("MOVED ") && moves < MovesMax)
            {
                Drop();
                _moved = e.MovedTo;
            }
            catch (RespErrorException e)
            {
                if (RedisErrors.IsOfAnotherServer(e.Message))
                    DropServer();
                throw RedisErrors.Of(e.Message, job.Script.Name, e);
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
            {
                DropServer();
                throw new StoreException(
                    $"Redis did not answer in {_timeout.TotalSeconds:0.##} s: {e.Message}", e, outcomeUnknown: true);
            }
        }
    }

    object? Call(RespConnection connection, Job job)
    {
        byte[][] rest = [Encoding.ASCII.GetBytes(job.Keys.Length.ToString(CultureInfo.InvariantCulture)),
            .. job.Keys.Select(k => (byte[])k!), .. job.Arguments];
        var hash = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(job.Script.Hash));
        try
        {
            return connection.Call(Left(job), ["EVALSHA"u8.ToArray(), hash, .. rest]);
        }
        catch (RespErrorException e) when (e.Is("NOSCRIPT"))
        {
            return connection.Call(Left(job), ["EVAL"u8.ToArray(), Encoding.UTF8.GetBytes(job.Script.Text), .. rest]);
        }
    }

    RespConnection Connection(Job job)
    {
        for (var tries = 1; _connection is null; tries++)
        {
            var address = _moved ?? _redis.Options.EndPoints[_server];
            try
            {
                _connection = RespConnection.Open(address, _redis, _name, Left(job));
                // A replica would answer reads, from a table that may be old.
                if (_connection.Call(Left(job), RespConnection.Words(["ROLE"])) is not object?[] role
                    || role[0] is not byte[] name || !name.AsSpan().SequenceEqual("master"u8))
                {
                    throw new RespErrorException("READONLY: its role is not master");
                }
            }
            catch (Exception e) when (e is IOException or SocketException or RespErrorException)
            {
                DropServer();
                if (tries >= _redis.Options.EndPoints.Count)
                {
                    var advice = RedisErrors.AdviceFor(e.Message) ?? "is it running, and is the address right?";
                    throw new StoreException($"Redis at {RedisAddress.Text(address)} cannot be used: {advice} ({e.Message})", e);
                }
            }
        }
        return _connection;
    }

    /// <summary>What is left of a call's time, waiting for its turn included.</summary>
    TimeSpan Left(Job job)
    {
        var left = _timeout - _time.GetElapsedTime(job.Began);
        return left > TimeSpan.Zero
            ? left
            : throw new StoreException("Redis is too slow: the call's time was over before it was sent.");
    }

    void Drop()
    {
        _connection?.Dispose();
        _connection = null;
    }

    /// <summary>The next call tries the next address.</summary>
    void DropServer()
    {
        Drop();
        _moved = null;
        _server = (_server + 1) % _redis.Options.EndPoints.Count;
    }

    sealed record Job(RedisScript Script, RedisKey[] Keys, byte[][] Arguments, long Began)
    {
        public TaskCompletionSource<object?> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
