using Hearth.Contracts;

namespace Hearth.Engine.Memory;

/// <summary>A part of a cache that stays as it is while someone copies it beside the engine's thread.</summary>
/// <param name="Tokens">All ids up to the part's end.</param>
/// <param name="Blocks">Those that hold the part, each with a reference of the pin's; empty if it is in host memory.</param>
/// <param name="Host">The part's keys and values when they are in host memory.</param>
sealed record CachePin(ReadOnlyMemory<int> Tokens, int First, int[] Blocks, ReadOnlyMemory<byte> Host);

/// <summary>A part on its way into a cache of its conversation's own.</summary>
/// <param name="cache">Knows all tokens up to the part's end.</param>
/// <param name="payload">The part's keys and values.</param>
sealed class ImportJob(KvCache cache, int first, ReadOnlyMemory<byte> payload)
{
    public KvCache Cache => cache;
    public int First => first;
    public ReadOnlyMemory<byte> Payload => payload;
    public int Tokens => cache.Tokens.Count - first;

    /// <summary>Given up while it was copied.</summary>
    public bool IsDropped { get; set; }

    /// <summary>Its blocks are there, to be written by who asked; or why there are none.</summary>
    public TaskCompletionSource<string?> Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Set from another thread when the bytes are in their blocks.</summary>
    public ManualResetEventSlim Copied { get; } = new();

    /// <summary>It is held; or why not.</summary>
    public TaskCompletionSource<string?> Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>Parts of caches that leave or arrive.</summary>
sealed partial class KvMemory
{
    /// <summary>Holds tokens from <paramref name="first"/>, a multiple of a block, to the end of their chunk or of what there is;
    /// null if there is nothing.</summary>
    public CachePin? TryPin(CacheId id, int first)
    {
        if (_space.Find(id) is not { } cache || first >= cache.Held)
        {
            return null;
        }

        var end = Math.Min(cache.Held, (first / Limits.ChunkTokens * Limits.ChunkTokens) + Limits.ChunkTokens);
        var tokens = cache.Tokens.Prefix(end);
        if (cache.Host is { } copy)
        {
            var piece = copy.Pieces[first / Limits.ChunkTokens];
            return new CachePin(tokens, first, [], piece.AsMemory(first % Limits.ChunkTokens * device.TokenBytes));
        }

        var pin = new CachePin(tokens, first, cache.Blocks.Span[(first / BlockTokens)..BlocksFor(end)].ToArray(), default);
        Array.ForEach(pin.Blocks, _space.Pool.Share);
        _pins.Add(pin);
        return pin;
    }

    public void Unpin(CachePin pin)
    {
        _pins.Remove(pin);
        Array.ForEach(pin.Blocks, _space.Pool.Release);
    }

    /// <summary>Makes a cache active that holds the first tokens and has blocks for all it knows.</summary>
    /// <param name="spare">As for <see cref="TryAdmit(KvCache, bool, int, out Admission)"/>.</param>
    /// <returns>Null, or why not; then nothing is changed.</returns>
    public string? BeginImport(KvCache cache, int first, int spare)
    {
        if (_space.Find(cache.Id) is { Place: null })
        {
            return "the cache is in use";
        }

        var held = Reusable(cache, cache.Tokens.Span[..first]);
        if (held < first)
        {
            return $"a gap: of the tokens before {first} only {held} are held";
        }

        return TryAdmit(cache, true, spare, first, out _) ? null : "no room";
    }

    /// <summary>What was imported is good, unless it was given up: it waits for its conversation's next turn.</summary>
    /// <returns>Null, or why it is not kept.</returns>
    public string? EndImport(KvCache cache, bool keep)
    {
        Advance(cache, cache.Tokens.Count);
        var isOwn = _space.Find(cache.Id) == cache;
        Close(cache, keep && isOwn);
        return !keep ? "dropped" : isOwn ? null : "a request came before the cache was whole";
    }

    /// <summary>Copies a pinned part's keys and values out. From any thread.</summary>
    public void Read(CachePin pin, Span<byte> payload)
    {
        if (pin.Blocks.Length == 0)
        {
            pin.Host.Span.CopyTo(payload);
            return;
        }

        _space.Host.Export(pin.Blocks, pin.Tokens.Length - pin.First, payload);
    }

    /// <summary>Copies a begun import's keys and values into its blocks. From any thread.</summary>
    public void Write(ImportJob job)
    {
        _space.Host.Import(job.Payload.Span, job.Cache.Blocks.Span, job.First, job.First, job.First + job.Tokens);
        job.Copied.Set();
    }

    int Reusable(KvCache cache, ReadOnlySpan<int> tokens)
    {
        var own = _space.Kept(cache) is { } kept ? kept.Tokens.Span[..kept.Held].CommonPrefixLength(tokens) : 0;
        _found.Clear();
        _space.Index.Find(cache.Scope, tokens, _found);
        return Math.Max(own, _found.Count * BlockTokens);
    }

    int PinsOf(int block)
    {
        var count = 0;
        foreach (var pin in _pins)
        {
            count += pin.Blocks.AsSpan().Contains(block) ? 1 : 0;
        }

        return count;
    }
}
