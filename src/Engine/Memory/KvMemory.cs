using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Hearth.Contracts;

namespace Hearth.Engine.Memory;

/// <summary>What an admission found. All counts are tokens from position 0.</summary>
/// <param name="Device">Reused from the device's blocks.</param>
/// <param name="Cached">After the host copy was loaded too.</param>
/// <param name="Existed">The conversation's own cache was held, whatever its use.</param>
readonly record struct Admission(int Device, int Cached, bool Existed);

/// <summary>All KV memory: who holds which block, what can be found again, and what gives way under pressure, in this order:
/// free blocks, idle prefixes, idle conversations (to host memory), and then it is the loop's choice whom to preempt.
/// Owned by the engine's thread; <see cref="Describe"/> may be called from any.</summary>
sealed class KvMemory(IKvBlocks device, long hostBytes)
{
    readonly BlockPool _pool = new(device.Count);
    readonly HostTier _host = new(device, hostBytes);
    readonly List<KvCache> _active = [];
    readonly IdleCaches _idle = new();
    readonly IdleCaches _spilled = new();
    readonly ConcurrentDictionary<CacheId, KvCache> _byId = new();
    readonly List<int> _found = [];
    readonly int[] _marks = new int[device.Count];
    PrefixIndex? _index;
    int _mark;

    PrefixIndex Index => _index ??= new PrefixIndex(_pool, device.BlockTokens);

    public BlockPool Pool => _pool;
    public HostTier Host => _host;
    public int BlockTokens => device.BlockTokens;

    public int BlocksFor(int tokens) => (tokens + BlockTokens - 1) / BlockTokens;

    public KvCache Create(CacheId id, string scope, TokenList tokens) => new(id, scope, tokens, device.TokenBytes);

    public CacheInfo Describe(CacheId id) => _byId.TryGetValue(id, out var cache) ? cache.Info : default;

    /// <summary>Gives a cache blocks for all its known tokens and what is held of them already (never the last one: its scores are wanted).</summary>
    /// <param name="own">Whether the conversation's kept cache may be taken over.</param>
    /// <param name="spare">Blocks that must be left to the active ones' growth.</param>
    /// <returns>False, with nothing changed, while active caches hold too many blocks.</returns>
    public bool TryAdmit(KvCache cache, bool own, int spare, out Admission admission)
    {
        admission = default;
        var wanted = cache.Tokens.Span[..(cache.Tokens.Count - 1)];
        var kept = own ? Kept(cache) : null;
        var ownTokens = kept is null ? 0 : kept.Tokens.Span[..kept.Held].CommonPrefixLength(wanted);
        _found.Clear();
        var (partial, partialTokens) = Index.Find(cache.Scope, wanted, _found);
        var shared = (_found.Count * BlockTokens) + partialTokens;
        var adopt = kept is { Host: null } && ownTokens >= shared;
        var reused = adopt ? kept!.Blocks.Span[..(ownTokens / BlockTokens)] : CollectionsMarshal.AsSpan(_found);
        if (!Fits(cache, reused, spare))
        {
            return false;
        }

        Claim(cache, kept, own);

        if (adopt)
        {
            AdoptPrefix(cache, kept!, ownTokens);
        }
        else
        {
            SharePrefix(cache, partial, partialTokens);
            if (kept is not null)
            {
                ReleaseBlocks(kept);
            }
        }

        var resident = cache.Computed;
        Fill(cache);
        LoadHost(cache, kept, ownTokens);
        if (kept is not null)
        {
            Release(kept);
        }

        Advance(cache, cache.Computed);
        admission = new Admission(resident, cache.Computed, kept is { });
        return true;
    }

    /// <summary>The first tokens have their keys and values now: full blocks become findable.</summary>
    public void Advance(KvCache cache, int computed)
    {
        cache.SetComputed(computed);
        while (cache.Indexed >= 0 && (cache.Indexed + 1) * BlockTokens <= computed)
        {
            var at = cache.Indexed;
            var tokens = cache.Tokens.Span.Slice(at * BlockTokens, BlockTokens);
            var known = Index.Add(cache.Scope, at == 0 ? -1 : cache.Blocks[at - 1], tokens, cache.Blocks[at]);
            if (known >= 0 && known != cache.Blocks[at])
            {
                // Another sequence computed the same tokens meanwhile: hold its block, give ours back.
                _pool.Share(known);
                _pool.Release(cache.Blocks[at]);
                cache.Blocks[at] = known;
            }

            cache.Indexed = known < 0 ? -1 : at + 1;
        }
    }

    /// <summary>Sees to blocks for that many tokens; false when only active caches could give way.</summary>
    public bool TryGrow(KvCache cache, int tokens)
    {
        while (cache.Blocks.Count * BlockTokens < tokens)
        {
            var block = Take();
            if (block < 0)
            {
                return false;
            }

            cache.Blocks.Add(block);
        }

        return true;
    }

    /// <summary>Takes an active cache's blocks away; what was computed goes to host memory if it fits there.</summary>
    public void Suspend(KvCache cache)
    {
        _active.Remove(cache);
        var copy = TryStore(cache, cache.Computed);
        ReleaseBlocks(cache);
        cache.SetComputed(0);
        cache.SetHost(copy);
    }

    /// <summary>Ends an active or suspended cache's use: it is kept for the next turn, or given back but left findable.</summary>
    public void Close(KvCache cache, bool keep)
    {
        _active.Remove(cache);
        Truncate(cache, BlocksFor(cache.Computed));
        IndexTail(cache);
        if (!keep || cache.Held == 0)
        {
            Release(cache);
            return;
        }

        if (Kept(cache) is { } older)
        {
            Forget(older);
            Release(older);
        }

        _byId[cache.Id] = cache;
        (cache.Host is null ? _idle : _spilled).Add(cache);
    }

    /// <summary>Gives back all of an idle conversation, and forgets what nobody else shares.</summary>
    public void Drop(CacheId id)
    {
        if (_byId.TryGetValue(id, out var cache) && cache.Place is not null)
        {
            Forget(cache);
            while (cache.Blocks.Count > 0)
            {
                var block = cache.Blocks.RemoveLast();
                if (_pool.References(block) == 1 && _pool.IsFindable(block) && !Index.HasChildren(block))
                {
                    Index.Remove(block);
                }

                _pool.Release(block);
            }

            Release(cache);
        }
    }

    /// <summary>Copies a chunk's keys and values and the ids up to its end.</summary>
    public bool TryExport(CacheId id, int chunk, KvBlob format, out byte[] blob, out int[] tokens)
    {
        (blob, tokens) = ([], []);
        var first = (long)chunk * Limits.ChunkTokens;
        if (!_byId.TryGetValue(id, out var cache) || first >= cache.Held)
        {
            return false;
        }

        var end = Math.Min(cache.Held, (int)first + Limits.ChunkTokens);
        tokens = cache.Tokens.Span[..end].ToArray();
        blob = GC.AllocateUninitializedArray<byte>(format.SizeOf(end - (int)first));
        if (cache.Host is { } copy)
        {
            copy.Pieces[chunk].CopyTo(KvBlob.Payload(blob));
        }
        else
        {
            _host.Export(cache.Blocks.Span[((int)first / BlockTokens)..], end - (int)first, KvBlob.Payload(blob));
        }

        return true;
    }

    /// <summary>Throws if any block's references are not those of the caches that hold it. For tests and idle moments.</summary>
    public void CheckIntegrity()
    {
        _pool.CheckIntegrity();
        var held = new int[_pool.Total];
        foreach (var block in _active.Concat(_idle.All).SelectMany(cache => cache.Blocks.Memory.ToArray()))
        {
            held[block]++;
        }

        var hostBytes = _active.Concat(_spilled.All).Sum(cache => cache.Host?.Bytes ?? 0);
        if (Enumerable.Range(0, held.Length).Any(block => held[block] != _pool.References(block)) || hostBytes > _host.BytesUsed)
        {
            throw new InvalidOperationException("KV blocks are held by other caches than the accounts say.");
        }
    }

    bool Fits(KvCache cache, ReadOnlySpan<int> reused, int spare)
    {
        var (used, mark) = (0, ++_mark);
        foreach (var active in _active)
        {
            foreach (var block in active.Blocks.Span)
            {
                used += _marks[block] == mark ? 0 : 1;
                _marks[block] = mark;
            }
        }

        var needed = BlocksFor(cache.Tokens.Count);
        foreach (var block in reused)
        {
            needed -= _marks[block] == mark ? 1 : 0;
        }

        return needed + (_active.Count == 0 ? 0 : spare) <= _pool.Total - used;
    }

    /// <summary>The conversation's idle cache; one of another scope is not its own.</summary>
    KvCache? Kept(KvCache cache) =>
        _byId.TryGetValue(cache.Id, out var kept) && kept.Place is not null && kept.Scope == cache.Scope ? kept : null;

    void Claim(KvCache cache, KvCache? kept, bool own)
    {
        _active.Add(cache);
        Forget(kept);
        if (!own)
        {
            return;
        }

        if (kept is null && _byId.TryGetValue(cache.Id, out var foreign) && foreign.Place is not null)
        {
            Forget(foreign);
            Release(foreign);
        }

        _byId[cache.Id] = cache;
    }

    /// <summary>Takes an idle cache out of its tier's order; its holdings stay.</summary>
    void Forget(KvCache? kept)
    {
        if (kept?.Place is not null)
        {
            (kept.Host is null ? _idle : _spilled).Remove(kept);
        }
    }

    void AdoptPrefix(KvCache cache, KvCache kept, int tokens)
    {
        cache.Adopt(kept);
        Truncate(cache, BlocksFor(tokens));
        cache.Indexed = Math.Min(cache.Indexed, tokens / BlockTokens);
        cache.SetComputed(MakeLastPrivate(cache, tokens) ? tokens : tokens / BlockTokens * BlockTokens);
    }

    /// <summary>The block that will be written next must be seen by its holder alone.</summary>
    /// <returns>False when there was no block for a copy; the partial block is given up.</returns>
    bool MakeLastPrivate(KvCache cache, int tokens)
    {
        var inLast = tokens % BlockTokens;
        if (inLast == 0 || _pool.IsPrivate(cache.Blocks[^1]))
        {
            return true;
        }

        var shared = cache.Blocks[^1];
        if (_pool.References(shared) == 1 && Index.IsTail(shared))
        {
            Index.Remove(shared);
            return true;
        }

        var copy = Take();
        cache.Blocks.RemoveLast();
        if (copy >= 0)
        {
            device.CopyPrefix(shared, copy, inLast);
            cache.Blocks.Add(copy);
        }

        _pool.Release(shared);
        return copy >= 0;
    }

    void SharePrefix(KvCache cache, int partial, int partialTokens)
    {
        foreach (var block in _found)
        {
            _pool.Share(block);
            cache.Blocks.Add(block);
        }

        cache.Indexed = _found.Count;
        cache.SetComputed(_found.Count * BlockTokens);
        if (partialTokens > 0)
        {
            _pool.Share(partial);
            cache.Blocks.Add(partial);
            var tokens = cache.Computed + partialTokens;
            cache.SetComputed(MakeLastPrivate(cache, tokens) ? tokens : cache.Computed);
        }
    }

    void Fill(KvCache cache)
    {
        if (!TryGrow(cache, cache.Tokens.Count))
        {
            throw new InvalidOperationException("KV blocks that were counted as available are not.");
        }
    }

    void LoadHost(KvCache cache, KvCache? kept, int keptTokens)
    {
        var copy = cache.Host ?? kept?.Host;
        var tokens = cache.Host?.Tokens ?? keptTokens;
        if (copy is not null && tokens > cache.Computed)
        {
            _host.Load(copy, cache.Blocks.Span, cache.Computed / BlockTokens * BlockTokens, tokens);
            cache.SetComputed(tokens);
        }

        DropHost(cache);
    }

    /// <summary>A free block, or one that gives way.</summary>
    int Take()
    {
        while (true)
        {
            var block = _pool.Take();
            if (block >= 0 || !(Index.Reclaim() || SpillIdle()))
            {
                return block;
            }
        }
    }

    bool SpillIdle()
    {
        if (_idle.Victim() is not { } victim)
        {
            return false;
        }

        _idle.Remove(victim);
        var copy = TryStore(victim, victim.Computed);
        ReleaseBlocks(victim);
        victim.SetComputed(0);
        if (copy is null)
        {
            Release(victim);
            return true;
        }

        victim.SetHost(copy);
        _spilled.Add(victim);
        return true;
    }

    HostCopy? TryStore(KvCache cache, int tokens)
    {
        if (tokens == 0 || _host.SizeOf(tokens) > _host.BytesTotal)
        {
            return null;
        }

        while (!_host.Fits(tokens) && _spilled.Victim() is { } oldest)
        {
            _spilled.Remove(oldest);
            Release(oldest);
        }

        return _host.Fits(tokens) ? _host.Store(cache.Blocks.Span, tokens) : null;
    }

    void IndexTail(KvCache cache)
    {
        var tail = cache.Computed % BlockTokens;
        var full = cache.Computed / BlockTokens;
        if (tail > 0 && cache.Indexed == full && _pool.IsPrivate(cache.Blocks[full]))
        {
            var tokens = cache.Tokens.Span.Slice(full * BlockTokens, tail);
            Index.Add(cache.Scope, full == 0 ? -1 : cache.Blocks[full - 1], tokens, cache.Blocks[full]);
        }
    }

    void Truncate(KvCache cache, int blocks)
    {
        while (cache.Blocks.Count > blocks)
        {
            _pool.Release(cache.Blocks.RemoveLast());
        }
    }

    void ReleaseBlocks(KvCache cache)
    {
        Truncate(cache, 0);
        cache.Indexed = 0;
    }

    void DropHost(KvCache cache)
    {
        if (cache.Host is { } copy)
        {
            _host.Drop(copy);
            cache.SetHost(null);
        }
    }

    void Release(KvCache cache)
    {
        ReleaseBlocks(cache);
        cache.SetComputed(0);
        DropHost(cache);
        _byId.TryRemove(new KeyValuePair<CacheId, KvCache>(cache.Id, cache));
    }
}
