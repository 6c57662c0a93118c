using System.Net.Sockets;
using System.Security.Authentication;
using System.Threading.Channels;

namespace Hearth.Actors.Storage.Redis.Blobs;

/// <summary>A few connections to the spill server, each with a thread of its own and never shared with anything small. Follows
/// a Redis
/// Cluster's redirections. Thread-safe.</summary>
sealed class BlobClient : IDisposable
{
    readonly BlobServer _server;
    readonly TimeSpan _timeout;
    readonly Channel<Job> _jobs = Channel.CreateBounded<Job>(Limits.BlobCallsQueued);

    public BlobClient(BlobServer server, TimeSpan timeout)
    {
        (_server, _timeout) = (server, timeout);
        for (var i = 0; i < Limits.BlobConnections; i++)
            new Thread(Work) { Name = "hearth-blobs", IsBackground = true }.Start();
    }

    /// <param name="value">The last argument; left out if empty.</param>
    /// <param name="destination">Gets the value of the reply.</param>
    /// <returns>The number, or the value's length; -1 for no value.</returns>
    /// <exception cref="StoreException">Redis did not answer, or refused.</exception>
    public ValueTask<long> CallAsync(IReadOnlyList<string> arguments, ReadOnlyMemory<byte> value, Memory<byte> destination,
        CancellationToken cancellationToken) =>
        RunAsync(connection => connection.Call(arguments, value.Span, destination.Span), cancellationToken);

    /// <summary>Several commands whose replies are numbers; each may be said twice.</summary>
    public ValueTask<long[]> CallManyAsync(IReadOnlyList<string[]> commands, CancellationToken cancellationToken) =>
        commands.Count == 0
            ? ValueTask.FromResult<long[]>([])
            : RunAsync(connection => connection.CallMany(commands), cancellationToken);

    /// <summary>Calls that are queued still run; then the threads end.</summary>
    public void Dispose() => _jobs.Writer.TryComplete();

    async ValueTask<T> RunAsync<T>(Func<BlobConnection, T> call, CancellationToken cancellationToken)
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
        catch (RedisErrorException e)
        {
            throw new StoreException($"The spill server refused: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or SocketException or AuthenticationException or ObjectDisposedException)
        {
            throw new StoreException($"The spill server did not answer: {e.Message}", e, outcomeUnknown: true);
        }
    }

    void Work()
    {
        BlobConnection? connection = null;
        var address = "";
        while (_jobs.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_jobs.Reader.TryRead(out var job))
                Run(job, ref connection, ref address);
        }
        connection?.Dispose();
    }

    void Run(Job job, ref BlobConnection? connection, ref string address)
    {
        for (var (moves, fresh) = (0, connection is null); ;)
        {
            try
            {
                job.Cancellation.ThrowIfCancellationRequested();
                connection ??= BlobConnection.Open(address.Length > 0 ? _server.At(address) : _server, _timeout);
                using (job.Cancellation.UnsafeRegister(static c => ((BlobConnection)c!).Abort(), connection))
                    job.Call(connection);
                return;
            }
            catch (RedisErrorException e) when (e.Kind == "MOVED" && moves++ < Limits.BlobMovesMax)
            {
                (address, fresh) = (e.Message.Split(' ')[^1], true);
                Close(ref connection);
            }
            catch (RedisErrorException e)
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
                address = "";
                job.Fail(e);
                return;
            }
        }
    }

    static void Close(ref BlobConnection? connection)
    {
        connection?.Dispose();
        connection = null;
    }

    /// <param name="Call">Makes the call and tells its result.</param>
    readonly record struct Job(Action<BlobConnection> Call, Action<Exception> Fail, CancellationToken Cancellation);
}
