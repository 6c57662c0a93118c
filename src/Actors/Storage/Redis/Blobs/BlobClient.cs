using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Hearth.Actors.Storage.Redis.Blobs;

/// <summary>A few connections to the spill server, each with a thread of its own and never shared with anything small. Of
/// several servers the first that answers is taken; a Redis Cluster's redirections are followed. Thread-safe.</summary>
sealed class BlobClient : IDisposable
{
    readonly RedisAddress _redis;
    readonly TimeSpan _timeout;
    readonly Channel<Job> _jobs = Channel.CreateBounded<Job>(Limits.BlobCallsQueued);

    public BlobClient(RedisAddress redis, TimeSpan timeout)
    {
        (_redis, _timeout) = (redis, timeout);
        for (var i = 0; i < Limits.BlobConnections; i++)
            new Thread(Work) { Name = "hearth-blobs", IsBackground = true }.Start();
    }

    /// <param name="value">The last argument.</param>
    /// <exception cref="StoreException">Redis did not answer, or refused.</exception>
    public async ValueTask WriteAsync(
        IReadOnlyList<string> arguments, ReadOnlyMemory<byte> value, CancellationToken cancellationToken) =>
        await RunAsync(c =>
        {
            c.Write(_timeout, RespConnection.Words(arguments), value.Span);
            return true;
        }, cancellationToken);

    /// <returns>As <see cref="RespConnection.ReadValue"/>.</returns>
    /// <exception cref="StoreException">Redis did not answer, or refused.</exception>
    public ValueTask<int> ReadAsync(string key, TimeSpan age, Memory<byte> destination, CancellationToken cancellationToken) =>
        RunAsync(c => c.ReadValue(_timeout, key, age, destination.Span), cancellationToken);

    /// <summary>Several commands whose replies are numbers; each may be said twice.</summary>
    public ValueTask<long[]> CallManyAsync(IReadOnlyList<string[]> commands, CancellationToken cancellationToken) =>
        commands.Count == 0
            ? ValueTask.FromResult<long[]>([])
            : RunAsync(c => c.CallMany(_timeout, [.. commands.Select(RespConnection.Words)]), cancellationToken);

    /// <summary>Calls that are queued still run; then the threads end.</summary>
    public void Dispose() => _jobs.Writer.TryComplete();

    async ValueTask<T> RunAsync<T>(Func<RespConnection, T> call, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        // Memory of the caller is in use until the thread says so, also after a cancellation.
        await _jobs.Writer.WriteAsync(
            new Job(c => done.SetResult(call(c)), e => done.SetException(e), cancellationToken), cancellationToken);
        try
        {
            return await done.Task;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (RespErrorException e)
        {
            throw new StoreException($"The spill server refused: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            throw new StoreException($"The spill server did not answer: {e.Message}", e, outcomeUnknown: true);
        }
    }

    void Work()
    {
        RespConnection? connection = null;
        EndPoint? moved = null;
        while (_jobs.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_jobs.Reader.TryRead(out var job))
                Run(job, ref connection, ref moved);
        }
        connection?.Dispose();
    }

    void Run(Job job, ref RespConnection? connection, ref EndPoint? moved)
    {
        for (var (moves, fresh) = (0, connection is null); ;)
        {
            try
            {
                job.Cancellation.ThrowIfCancellationRequested();
                connection ??= Open(moved);
                using (job.Cancellation.UnsafeRegister(static c => ((RespConnection)c!).Abort(), connection))
                    job.Call(connection);
                return;
            }
            catch (RespErrorException e) when (e.Is("MOVED ") && moves++ < Limits.BlobMovesMax)
            {
                (moved, fresh) = (e.MovedTo, true);
                Close(ref connection);
            }
            catch (RespErrorException e)
            {
                job.Fail(e);
                return;
            }
            catch (IOException e) when (!fresh
                && e.InnerException is not SocketException { SocketErrorCode: SocketError.TimedOut })
            {
                // It died while it lay idle: every call here can be said twice.
                fresh = true;
                Close(ref connection);
            }
            catch (Exception e)
            {
                Close(ref connection);
                moved = null;
                job.Fail(e);
                return;
            }
        }
    }

    RespConnection Open(EndPoint? moved)
    {
        var servers = _redis.Options.EndPoints;
        for (var i = 0; ; i++)
        {
            try
            {
                return RespConnection.Open(moved ?? servers[i], _redis, "hearth-blobs", _timeout, Limits.BlobSocketBytes);
            }
            catch (Exception e) when (e is IOException or SocketException && moved is null && i + 1 < servers.Count)
            {
                // The next one may answer.
            }
        }
    }

    static void Close(ref RespConnection? connection)
    {
        connection?.Dispose();
        connection = null;
    }

    /// <param name="Call">Makes the call and tells its result.</param>
    readonly record struct Job(Action<RespConnection> Call, Action<Exception> Fail, CancellationToken Cancellation);
}
