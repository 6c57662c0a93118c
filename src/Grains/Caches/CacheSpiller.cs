using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Grains.Telemetry;
using Microsoft.Extensions.Logging;

namespace Hearth.Grains.Caches;

/// <summary>Writes one conversation's cache to the store behind its turns: only chunks that changed, the manifest last.
/// Its methods are called in the grain's turn; one write runs at a time.</summary>
sealed partial class CacheSpiller(
    IBlobStore blobs, ChunkCodec codec, bool quantize, GrainContext context, SemaphoreSlim limit, ILogger logger)
{
    (CancellationTokenSource Stop, Task Done)? _writing;
    SpillManifest? _published;
    int _names;

    /// <summary>What the store holds; null if nothing that can be used.</summary>
    public SpillManifest? Published => Volatile.Read(ref _published);

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        if (await blobs.ReadManifestAsync(context.Id, cancellationToken) is { } stored)
            _published = SpillManifest.FromBytes(stored.Data);
    }

    /// <summary>The stored cache as far as it fits the prompt; null if it does not.</summary>
    public ICacheSpill? For(ServedModel model, ReadOnlySpan<int> prompt) =>
        _published is { } manifest && Fits(manifest, model)
        && TokenBytes.Read(manifest.Tokens).AsSpan().CommonPrefixLength(prompt) > 0
            ? new StoredSpill(blobs, codec, context.Id, manifest)
            : null;

    /// <summary>Begins to write in the background what the engine holds of these tokens.</summary>
    public void Start(ServedModel model, CacheId cache, int[] tokens)
    {
        var stop = new CancellationTokenSource();
        _writing = (stop, WriteAsync(model, cache, tokens, stop.Token));
    }

    /// <summary>Waits for the background write, or cuts it short: what it wrote is taken up by the next one.</summary>
    public async Task StopAsync(bool finish)
    {
        if (_writing is not var (stop, done))
            return;
        if (!finish)
            stop.Cancel();
        await done;
        stop.Dispose();
        _writing = null;
    }

    /// <summary>Writes all that the engine holds of these tokens. A failure costs the spill only, and is logged.</summary>
    /// <returns>Whether it is all in the store.</returns>
    public async Task<bool> WriteAsync(ServedModel model, CacheId cache, int[] tokens, CancellationToken cancellationToken)
    {
        var entered = false;
        var began = context.Time.GetTimestamp();
        var result = "failed";
        try
        {
            await limit.WaitAsync(cancellationToken);
            entered = true;
            var before = _published;
            PublishOutcome outcome;
            while ((outcome = await WriteOnceAsync(model, cache, tokens, cancellationToken)) == PublishOutcome.Missing)
                cancellationToken.ThrowIfCancellationRequested();
            result = outcome == PublishOutcome.Fenced ? "fenced" : _published == before ? "unchanged" : "written";
            return outcome == PublishOutcome.Published;
        }
        catch (OperationCanceledException)
        {
            result = "cut";
            // The next turn has begun: the write after it goes on from here.
        }
        catch (StoreException e)
        {
            LogSpillFailed(logger, context.Id, e);
        }
        finally
        {
            if (entered)
                limit.Release();
            GrainMetrics.Spilled(result, context.Time.GetElapsedTime(began));
        }
        return false;
    }

    async Task<PublishOutcome> WriteOnceAsync(ServedModel model, CacheId cache, int[] tokens, CancellationToken cancellationToken)
    {
        var engine = model.Engine;
        var before = _published is { } published && Fits(published, model)
            ? published
            : SpillManifest.Empty(model.Card, context.Fence.Epoch, engine.ChunkTokens);
        var same = TokenBytes.Read(before.Tokens).AsSpan().CommonPrefixLength(tokens);
        var held = Math.Min(engine.DescribeCache(cache).Tokens, tokens.Length);
        if (held <= same && same == before.TokenCount)
            return PublishOutcome.Published;

        var chunks = new List<SpillChunk>();
        var covered = 0;
        while (covered < held)
        {
            var end = Math.Min(covered + engine.ChunkTokens, held);
            var chunk = chunks.Count < before.Chunks.Count && before.Chunks[chunks.Count].Tokens == end - covered && end <= same
                ? before.Chunks[chunks.Count]
                : await WriteChunkAsync(engine, cache, chunks.Count, end - covered, cancellationToken);
            if (chunk is null)
                break;
            chunks.Add(chunk);
            covered = end;
        }
        if (covered <= same && covered < held)
            return PublishOutcome.Published;
        return await PublishAsync(before with
        {
            Epoch = context.Fence.Epoch,
            Tokens = TokenBytes.Of(tokens.AsSpan(0, covered)),
            Chunks = chunks,
        });
    }

    /// <returns>Null if the engine no longer holds these tokens, or the next turn is waiting.</returns>
    async Task<SpillChunk?> WriteChunkAsync(
        ITokenEngine engine, CacheId cache, int index, int tokens, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return null;
        var first = index * engine.ChunkTokens;
        var chunk = quantize
            ? await engine.ExportInt8Async(cache, first, CancellationToken.None)
            : await engine.ExportAsync(cache, first, CancellationToken.None);
        if (chunk is null || chunk.Tokens != tokens)
            return null;
        var name = $"{context.Fence.Epoch}-{context.Fence.Activation[..8]}-{_names++}";
        var (data, form) = codec.Encode(context.Id, name, chunk.Blob);
        await blobs.PutAsync(context.Id, name, data, CancellationToken.None);
        GrainMetrics.SpilledBytes(data.Length);
        var stored = new SpillChunk(name, chunk.Tokens, data.Length, form, chunk.Blob.Length);
        chunk.Dispose();
        return stored;
    }

    async Task<PublishOutcome> PublishAsync(SpillManifest manifest)
    {
        var outcome = await blobs.PublishAsync(context.Id, context.Fence,
            new BlobManifest(manifest.ToBytes(), [.. manifest.Chunks.Select(c => c.Name)], manifest.Bytes, manifest.TokenCount),
            CancellationToken.None);
        if (outcome == PublishOutcome.Missing && _published is null)
            throw new StoreException("The store gave up blobs that had just been written: its limit is too low for them.");
        Volatile.Write(ref _published, outcome switch
        {
            PublishOutcome.Published => manifest,
            PublishOutcome.Missing => null,
            _ => _published,
        });
        return outcome;
    }

    static bool Fits(SpillManifest manifest, ServedModel model) =>
        manifest.Fingerprint == model.Card.Fingerprint && manifest.ChunkTokens == model.Engine.ChunkTokens;

    [LoggerMessage(EventId = 200, Level = LogLevel.Warning, Message = "The cache of {Grain} could not be written to the store")]
    static partial void LogSpillFailed(ILogger logger, GrainId grain, Exception exception);
}
