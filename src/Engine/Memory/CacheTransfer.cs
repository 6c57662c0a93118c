using Hearth.Contracts;

namespace Hearth.Engine.Memory;

/// <summary>A part of a cache that stays as it is while someone copies it without the gate.</summary>
/// <param name="Tokens">All ids up to the part's end.</param>
/// <param name="Blocks">Those that hold the part, each with a reference of the pin's; empty if it is in host memory.</param>
/// <param name="Host">The part's keys and values when they are in host memory.</param>
sealed record CachePin(ReadOnlyMemory<int> Tokens, int First, int[] Blocks, ReadOnlyMemory<byte> Host, bool IsExact);

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

    /// <summary>Set, without the gate, when the bytes are in their blocks.</summary>
    public ManualResetEventSlim Copied { get; } = new();

    /// <summary>Why it is not held, when it has ended so.</summary>
    public string? Refusal { get; set; }
}

/// <summary>Parts of caches that leave or arrive.</summary>
sealed partial class KvMemory
{
    /// <summary>Holds tokens from <paramref name="first"/>, a multiple of a block, to the end of their chunk or of what there is,
    /// but no more than <paramref name="most"/>; null if there is nothing. A cache that has given leading blocks back cannot
    /// leave: what is known of it elsewhere is a prefix without a gap.</summary>
    public CachePin? TryPin(CacheId id, int first, int most)
    {
        if (_space.Find(id) is not { HeldGone: 0 } cache || first >= cache.Held)
        {
            return null;
        }

        var end = Math.Min(cache.Held, (first / Limits.ChunkTokens * Limits.ChunkTokens) + Limits.ChunkTokens);
        end = Math.Min(end, first + Math.Min(most, Limits.ChunkTokens));
        var tokens = cache.Tokens.Prefix(end);
        if (cache.Host is { } copy)
        {
            var piece = copy.Pieces[first / Limits.ChunkTokens];
            var bytes = piece.AsMemory(first % Limits.ChunkTokens * device.TokenBytes, (end - first) * device.TokenBytes);
            return new CachePin(tokens, first, [], bytes, cache.IsExact);
        }

        var blocks = cache.Blocks.Span[(first / BlockTokens)..BlocksFor(end)].ToArray();
        var pin = new CachePin(tokens, first, blocks, default, cache.IsExact);
        Array.ForEach(pin.Blocks, _space.Pool.Share);
        _pins.Add(pin);
        return pin;
    }

    public void Unpin(CachePin pin)
    {
        _pins.Remove(pin);
        Array.ForEach(pin.Blocks, _space.Pool.Release);
    }

    /// <summary>Makes the job's cache active: it holds the first tokens and has blocks for all it knows.</summary>
    /// <param name="spare">As for <see cref="TryAdmit(KvCache, bool, int, out Admission)"/>.</param>
    /// <returns>Null, or why not; then nothing is changed.</returns>
    public string? BeginImport(ImportJob job, int spare)
    {
        var cache = job.Cache;
        if (_space.Find(cache.Id) is { Place: null })
        {
            return "the cache is in use";
        }

        var held = Reusable(cache, cache.Tokens.Span[..job.First]);
        if (held < job.First)
        {
            return $"a gap: of the tokens before {job.First} only {held} are held";
        }

        if (!TryAdmit(cache, true, spare, job.First, out _))
        {
            return "no room";
        }

        _imports.Add(job);
        return null;
    }

    /// <summary>What was imported is good, unless it was given up: it waits for its conversation's next turn.</summary>
    /// <returns>Null, or why it is not kept.</returns>
    public string? EndImport(ImportJob job)
    {
        if (_imports.Remove(job))
        {
            var cache = job.Cache;
            var isOwn = _space.Find(cache.Id) == cache;
            Advance(cache, cache.Tokens.Count);
            Close(cache, isOwn && !job.IsDropped);
            job.Refusal = job.IsDropped ? "dropped" : isOwn ? null : "a request came before the cache was whole";
        }

        return job.Refusal;
    }

    /// <summary>Makes an import's blocks ones that can give way, before a running sequence must.</summary>
    /// <returns>False if none is under way.</returns>
    public bool TryEndImport()
    {
        if (_imports.Count == 0)
        {
            return false;
        }

        // What is left of copying one part takes less than taking a sequence's blocks and giving them back.
        _imports[0].Copied.Wait();
        EndImport(_imports[0]);
        return true;
    }

    /// <summary>Copies a pinned part's keys and values out. Needs no gate.</summary>
    public void Read(CachePin pin, KvContent content, Span<byte> payload)
    {
        if (content == KvContent.Int8)
        {
            var exact = GC.AllocateUninitializedArray<byte>((pin.Tokens.Length - pin.First) * device.TokenBytes);
            Read(pin, KvContent.Exact, exact);
            _space.Host.Quantize(exact, payload);
        }
        else if (pin.Blocks.Length == 0)
        {
            pin.Host.Span.CopyTo(payload);
        }
        else
        {
            _space.Host.Export(pin.Blocks, pin.Tokens.Length - pin.First, payload);
        }
    }

    /// <summary>Copies a begun import's keys and values into its blocks. Needs no gate.</summary>
    public void Write(ImportJob job)
    {
        _space.Host.Import(job.Payload.Span, job.Cache.Blocks.Span, job.First, job.First, job.First + job.Tokens);
        job.Copied.Set();
    }

    int Reusable(KvCache cache, ReadOnlySpan<int> tokens)
    {
        var own = OwnTokens(_space.Kept(cache), tokens);
        Find(cache, tokens);
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
