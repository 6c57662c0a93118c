using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <param name="Changed">When, in us, as text.</param>
/// <param name="Key">The key that leads to the grain now.</param>
/// <param name="KeyBefore">The one that did before.</param>
sealed record IndexEntry(GrainId Grain, string Changed, string? Key, string? KeyBefore);

/// <summary>Which grains a scope has, the newest first, and which one an index key leads to. It lies in other slots than the
/// grains, so it is written after them, and is a hint: a write that failed is tried again with a later one, an entry that is
/// found wrong is dropped.</summary>
/// <param name="retention">How long a grain stays after its last operation; null for ever.</param>
sealed partial class RedisGrainIndex(RedisLink link, RedisKeys keys, TimeSpan? retention, ILogger logger)
{
    readonly RedisValue _stays = Milliseconds(retention);
    readonly ConcurrentDictionary<GrainId, IndexEntry> _missed = new();
    volatile bool _failing;

    /// <summary>As scripts take it: 0 for ever.</summary>
    public static RedisValue Milliseconds(TimeSpan? retention) => (long)(retention ?? TimeSpan.Zero).TotalMilliseconds;

    /// <summary>Never fails. Waits for the answer so that who reads next finds it, unless the last write failed.</summary>
    public async ValueTask WriteAsync(IndexEntry entry, CancellationToken cancellationToken)
    {
        var writing = TryWriteAsync(entry, cancellationToken);
        if (_failing)
            return;
        if (await writing && !_missed.IsEmpty)
            await RetryAsync(cancellationToken);
    }

    public async ValueTask<IReadOnlyList<(string Name, string Changed)>> NewestAsync(
        string scope, int from, int count, CancellationToken cancellationToken)
    {
        var reply = (RedisValue[])await link.RunAsync(
            RedisScript.Newest, [keys.IndexOf(scope)], [from, from + count - 1], cancellationToken);
        return [.. reply.Chunk(2).Select(p => ((string)p[0], (string)p[1]))];
    }

    /// <returns>The name of the grain that may have that key.</returns>
    public async ValueTask<string?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken) =>
        (string?)await link.RunAsync(RedisScript.Lookup, [keys.HistoryOf(scope, indexKey)], [], cancellationToken);

    /// <summary>Drops what leads to a grain that is gone, or has another key by now. Never fails: what stays is found wrong
    /// again.</summary>
    /// <param name="changed">Its entry, if that is not newer; null for the key alone.</param>
    public async ValueTask DropAsync(GrainId grain, string? changed, string? key, CancellationToken cancellationToken)
    {
        _missed.TryRemove(grain, out _);
        var index = keys.IndexOf(grain.Scope);
        await TryRunAsync(RedisScript.Unindex, grain,
            [index, KeyOr(index, grain, key)], [grain.Name, changed ?? ""], cancellationToken);
    }

    async Task<bool> TryWriteAsync(IndexEntry entry, CancellationToken cancellationToken)
    {
        var index = keys.IndexOf(entry.Grain.Scope);
        var written = await TryRunAsync(RedisScript.Index, entry.Grain,
            [index, KeyOr(index, entry.Grain, entry.Key), KeyOr(index, entry.Grain, entry.KeyBefore)],
            [entry.Grain.Name, entry.Changed, _stays], cancellationToken);
        _failing = !written;
        if (written)
            _missed.TryRemove(entry.Grain, out _);
        else if (_missed.Count < Limits.RedisIndexWaiting)
            _missed[entry.Grain] = entry;
        return written;
    }

    async Task RetryAsync(CancellationToken cancellationToken)
    {
        foreach (var entry in _missed.Values)
        {
            if (!await TryWriteAsync(entry, cancellationToken))
                return;
        }
    }

    async Task<bool> TryRunAsync(
        RedisScript script, GrainId grain, RedisKey[] at, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            await link.RunAsync(script, at, arguments, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is StoreException or OperationCanceledException)
        {
            LogIndexFailed(logger, grain, e.Message);
            return false;
        }
    }

    RedisKey KeyOr(RedisKey none, GrainId grain, string? key) =>
        string.IsNullOrEmpty(key) ? none : keys.HistoryOf(grain.Scope, key);

    [LoggerMessage(EventId = 154, Level = LogLevel.Warning,
        Message = "The index entry of {Grain} could not be written ({Reason}); it is tried again with a later one")]
    static partial void LogIndexFailed(ILogger logger, GrainId grain, string reason);
}
