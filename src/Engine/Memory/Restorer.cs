using System.Threading.Channels;
using Hearth.Contracts;

namespace Hearth.Engine.Memory;

/// <summary>One place where a conversation's cache is kept, and the tokens that it says it has, read once.</summary>
sealed record SpillSource(ICacheSpill Spill, ReadOnlyMemory<int> Tokens)
{
    public string Name => Spill.Source;

    public static List<SpillSource> Of(TokenRequest request)
    {
        var sources = new List<SpillSource>();
        foreach (var spill in (ReadOnlySpan<ICacheSpill?>)[request.Spill, request.Peer])
        {
            if (spill is { Tokens: { Length: > 0 } tokens })
            {
                sources.Add(new SpillSource(spill, tokens));
            }
        }

        return sources;
    }
}

/// <summary>Tokens [From, To) of a spill on their way into blocks that belong to one sequence alone;
/// From is a multiple of a block.</summary>
sealed class RestoreJob(
    object owner, SpillSource source, TokenRequest request, ReadOnlyMemory<int> blocks, int from, int to)
{
    public object Owner => owner;
    public SpillSource Source => source;
    public ReadOnlyMemory<int> Blocks => blocks;
    public int From => from;
    public int To => to;
    public CancellationToken Cancellation => request.Cancellation;
    public CancellationToken Suspension => request.Suspension;

    /// <summary>Tokens from position 0 that are good now.</summary>
    public int Restored { get; set; }

    public bool IsExact { get; set; } = true;

    /// <summary>As the blocks take them, whatever was read.</summary>
    public long Bytes { get; set; }
    public TimeSpan Elapsed { get; set; }

    /// <summary>Why it ended before <see cref="To"/>; null when it did not.</summary>
    public string? Reason { get; set; }
}

/// <summary>Reads, checks and copies spilled chunks beside the engine's thread: some are read while the one before them is
/// checked and copied. A broken chunk ends a job; what came before it counts.</summary>
sealed class Restorer : IAsyncDisposable
{
    readonly Channel<RestoreJob> _jobs;
    readonly KvBlob _format;
    readonly HostTier _tier;
    readonly TimeProvider _time;
    readonly Action<RestoreJob> _done;
    readonly CancellationTokenSource _stop = new();
    readonly Task[] _workers;

    /// <param name="jobsMax">Sequences that may restore at once: each has one job at most.</param>
    /// <param name="done">Called once per job, from a worker.</param>
    public Restorer(KvBlob format, HostTier tier, int jobsMax, TimeProvider time, Action<RestoreJob> done)
    {
        (_format, _tier, _time, _done) = (format, tier, time, done);
        _jobs = Channel.CreateBounded<RestoreJob>(jobsMax);
        _workers = [.. Enumerable.Range(0, Limits.RestoreWorkers).Select(_ => WorkAsync())];
    }

    public bool TryStart(RestoreJob job) => _jobs.Writer.TryWrite(job);

    public async ValueTask DisposeAsync()
    {
        _jobs.Writer.TryComplete();
        await _stop.CancelAsync();
        await Task.WhenAll(_workers);
        _stop.Dispose();
    }

    async Task WorkAsync()
    {
        await foreach (var job in _jobs.Reader.ReadAllAsync())
        {
            var start = _time.GetTimestamp();
            job.Restored = job.From;
            try
            {
                await RestoreAsync(job);
            }
            catch (OperationCanceledException) when (job.Cancellation.IsCancellationRequested || _stop.IsCancellationRequested)
            {
                job.Reason = "cancelled";
            }
            catch (OperationCanceledException) when (job.Suspension.IsCancellationRequested)
            {
                job.Reason = "suspended";
            }
            catch (TimeoutException)
            {
                job.Reason = $"{job.Source.Name} took longer than {Limits.RestoreReadMax.TotalSeconds:0} s for a chunk";
            }
            catch (Exception e)
            {
                // Whatever a store throws costs its conversation the cache, never the reply.
                job.Reason = $"{job.Source.Name} failed: {e.Message}";
            }

            job.Elapsed = _time.GetElapsedTime(start);
            _done(job);
        }
    }

    async Task RestoreAsync(RestoreJob job)
    {
        var stop = CancellationTokenSource.CreateLinkedTokenSource(job.Cancellation, job.Suspension, _stop.Token);
        var reads = new Queue<Task<CacheChunk?>>();
        var next = job.Restored / Limits.ChunkTokens;
        ReadAhead();
        try
        {
            while (job.Restored < job.To)
            {
                stop.Token.ThrowIfCancellationRequested();
                var index = job.Restored / Limits.ChunkTokens;
                using var chunk = await reads.Peek().WaitAsync(Limits.RestoreReadMax, _time, stop.Token);
                _ = reads.Dequeue();
                ReadAhead();
                job.Reason = Take(job, index, chunk?.Blob ?? default);
                if (job.Reason is not null)
                {
                    return;
                }
            }
        }
        finally
        {
            _ = EndAsync(reads, stop);
        }

        void ReadAhead()
        {
            for (; reads.Count < Limits.RestoreReads && next * Limits.ChunkTokens < job.To; next++)
            {
                reads.Enqueue(job.Source.Spill.ReadAsync(next, stop.Token).AsTask());
            }
        }
    }

    /// <summary>Nobody waits for chunks that were read ahead in vain, or hang.</summary>
    static async Task EndAsync(Queue<Task<CacheChunk?>> reads, CancellationTokenSource stop)
    {
        await stop.CancelAsync();
        foreach (var read in reads)
        {
            await ((Task)read).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            (read.IsCompletedSuccessfully ? await read : null)?.Dispose();
        }

        stop.Dispose();
    }

    /// <returns>Null when the chunk is in its blocks, else why not.</returns>
    string? Take(RestoreJob job, int chunk, ReadOnlyMemory<byte> blob)
    {
        var tokens = job.Source.Tokens;
        var first = chunk * Limits.ChunkTokens;
        var end = Math.Min(tokens.Length, first + Limits.ChunkTokens);
        var content = KvContent.Exact;
        var reason = blob.IsEmpty ? "gone" : _format.Verify(blob.Span, first, tokens.Span[..end], out content);
        if (reason is not null)
        {
            return $"chunk {chunk} from {job.Source.Name}: {reason}";
        }

        var payload = _tier.Dequantize(blob[KvBlob.HeaderBytes..^KvBlob.TrailerBytes], content);
        job.IsExact &= content == KvContent.Exact;
        _tier.Import(payload.Span, job.Blocks.Span, first, job.From, job.To);
        job.Bytes += payload.Length;
        job.Restored = Math.Min(end, job.To);
        return null;
    }
}
