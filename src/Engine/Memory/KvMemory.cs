using System.Runtime.InteropServices;
using Hearth.Contracts;

namespace Hearth.Engine.Memory;

/// <summary>What an admission found. All counts are tokens from position 0.</summary>
/// <param name="Device">Reused from the device's blocks.</param>
/// <param name="Cached">After the host copy was loaded too.</param>
/// <param name="Existed">The conversation's own cache was held, whatever its use.</param>
readonly record struct Admission(int Device, int Cached, bool Existed);

/// <summary>Gives sequences their KV memory: what can be reused of it, what is new, and what is kept afterwards.
/// Owned by who holds <see cref="Gate"/>: the engine's thread, but for the time of a step;
/// <see cref="Describe"/> needs none.</summary>
/// <param name="window">Most positions that any layer sees: what is beyond them is given back by caches that slide.</param>
sealed partial class KvMemory(IKvBlocks device, long hostBytes, int window = 0)
{
    readonly KvSpace _space = new(device, hostBytes);
    readonly List<KvCache> _active = [];
    readonly List<CachePin> _pins = [];
    readonly List<ImportJob> _imports = [];
    readonly List<int> _found = [];
    readonly int[] _marks = new int[device.Count];
    int _mark;

    /// <summary>A step reads and writes its sequences' blocks without it; nobody else touches those.</summary>
    public Lock Gate { get; } = new();

    public BlockPool Pool => _space.Pool;
    public HostTier Host => _space.Host;
    public int BlockTokens => device.BlockTokens;

    /// <summary>Caches on the device, active or idle, and in host memory.</summary>
    public int OnDevice => _active.Count + _space.IdleCount;
    public int InHost => _space.SpilledCount;

    public int BlocksFor(int tokens) => (tokens + BlockTokens - 1) / BlockTokens;

    /// <param name="reserved">Tokens that a static cache has blocks for from the start.</param>
    public KvCache Create(CacheId id, string scope, TokenList tokens, CacheKind kind = CacheKind.Dynamic, int reserved = 0) =>
        new(id, scope, tokens, device.TokenBytes, kind, reserved);

    public CacheInfo Describe(CacheId id) => _space.Find(id)?.Info ?? default;

    /// <summary>Gives a cache blocks for all its known tokens and what is held of them already, but never the last one:
    /// its scores are wanted.</summary>
    /// <param name="own">Whether the conversation's kept cache may be taken over.</param>
    /// <param name="spare">Blocks that must be left to the active ones' growth.</param>
    /// <returns>False, with nothing changed, while active caches hold too many blocks.</returns>
    public bool TryAdmit(KvCache cache, bool own, int spare, out Admission admission) =>
        TryAdmit(cache, own, spare, cache.Tokens.Count - 1, out admission);

    bool TryAdmit(KvCache cache, bool own, int spare, int most, out Admission admission)
    {
        admission = default;
        var wanted = cache.Tokens.Span[..most];
        var kept = own ? _space.Kept(cache) : null;
        var ownTokens = OwnTokens(kept, wanted);
        var (partial, partialTokens) = Find(cache, wanted);
        var shared = (_found.Count * BlockTokens) + partialTokens;
        var adopt = kept is { Host: null } && ownTokens >= shared;
        var reused = adopt ? kept!.Blocks.Span[..(ownTokens / BlockTokens)] : CollectionsMarshal.AsSpan(_found);
        var gap = BlocksFor((cache.Host ?? (ownTokens > 0 ? kept?.Host : null))?.Gone ?? 0);
        if (!Fits(cache, reused, gap, spare))
        {
            return false;
        }

        _active.Add(cache);
        _space.Unlist(kept);
        if (adopt)
        {
            AdoptPrefix(cache, kept!, ownTokens);
        }
        else
        {
            SharePrefix(cache, partial, partialTokens);
            if (kept is not null)
            {
                _space.ReleaseBlocks(kept);
            }
        }

        var resident = cache.Computed;
        Fill(cache, gap);
        LoadHost(cache, kept, ownTokens);
        Advance(cache, cache.Computed);
        if (own)
        {
            _space.Claim(cache);
        }

        if (kept is not null)
        {
            _space.Release(kept);
        }

        admission = new Admission(resident, cache.Computed, kept is not null);
        return true;
    }

    /// <summary>The first tokens have their keys and values now: full blocks become findable.</summary>
    public void Advance(KvCache cache, int computed)
    {
        cache.SetComputed(computed);
        while (cache.IsShared && cache.Indexed >= 0 && (cache.Indexed + 1) * BlockTokens <= computed)
        {
            var at = cache.Indexed;
            var tokens = cache.Tokens.Span.Slice(at * BlockTokens, BlockTokens);
            var known = _space.Index.Add(cache.Scope, at == 0 ? -1 : cache.Blocks[at - 1], tokens, cache.Blocks[at]);
            if (known >= 0 && known != cache.Blocks[at])
            {
                // Another sequence computed the same tokens meanwhile: hold its block, give ours back.
                _space.Pool.Share(known);
                _space.Pool.Release(cache.Blocks[at]);
                cache.Blocks[at] = known;
            }

            cache.Indexed = known < 0 ? -1 : at + 1;
        }

        Slide(cache);
    }

    /// <summary>Sees to blocks for that many tokens; false when only active caches could give way.</summary>
    public bool TryGrow(KvCache cache, int tokens)
    {
        while (cache.Blocks.Count * BlockTokens < tokens)
        {
            var block = _space.Take();
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
        var copy = _space.TryStore(cache, cache.Computed);
        _space.ReleaseBlocks(cache);
        cache.MoveTo(copy);
    }

    /// <summary>Ends an active or suspended cache's use: it is kept for the next turn, or given back but left findable.</summary>
    public void Close(KvCache cache, bool keep)
    {
        _active.Remove(cache);
        _space.Truncate(cache, BlocksFor(cache.Computed));
        IndexTail(cache);
        if (!keep || cache.Held == 0)
        {
            _space.Release(cache);
            return;
        }

        _space.List(cache);
        if (cache.Kind == CacheKind.Offloaded && cache.Host is null)
        {
            _space.Spill(cache);
        }
    }

    /// <summary>Gives back all of an idle or arriving conversation, and forgets what nobody else shares.</summary>
    public void Drop(CacheId id)
    {
        foreach (var job in _imports)
        {
            job.IsDropped |= job.Cache.Id == id;
        }

        if (_space.Find(id) is { Place: not null } cache)
        {
            _space.Unlist(cache);
            Forget(cache);
        }
    }

    /// <summary>Ends an active or suspended cache whose content is not to be trusted: nobody may find it.</summary>
    public void Discard(KvCache cache)
    {
        _active.Remove(cache);
        Forget(cache);
    }

    /// <summary>Throws if any block's references are not those of the caches that hold it. For tests and idle moments.</summary>
    public void CheckIntegrity()
    {
        _space.Pool.CheckIntegrity();
        var held = new int[_space.Pool.Total];
        var blocks = _active.Concat(_space.Idle).SelectMany(cache => cache.Blocks.Memory.ToArray());
        foreach (var block in blocks.Where(block => block >= 0).Concat(_pins.SelectMany(pin => pin.Blocks)))
        {
            held[block]++;
        }

        var hostBytes = _active.Concat(_space.Spilled).Sum(cache => cache.Host?.Bytes ?? 0);
        var wrong = Enumerable.Range(0, held.Length).Any(block => held[block] != _space.Pool.References(block));
        if (wrong || hostBytes > _space.Host.BytesUsed)
        {
            throw new InvalidOperationException("KV blocks are held by other caches than the accounts say.");
        }
    }

    /// <summary>How many tokens of its own kept cache a prompt may go on from.</summary>
    int OwnTokens(KvCache? kept, ReadOnlySpan<int> wanted)
    {
        var tokens = kept is null ? 0 : kept.Tokens.Span[..kept.Held].CommonPrefixLength(wanted);
        return kept?.HeldGone > Seen(tokens) ? 0 : tokens;
    }

    /// <summary>The first position, of a whole block, that is seen by those who go on from these tokens or from the block before
    /// (which is where a cache goes on when it finds no block for a copy of a shared one).</summary>
    int Seen(int tokens) => window > 0
        ? Math.Max(0, (tokens / BlockTokens * BlockTokens) - window + 1) / BlockTokens * BlockTokens
        : 0;

    /// <summary>Gives the blocks back that nobody will see. What follows them can no longer be found by its tokens.</summary>
    void Slide(KvCache cache)
    {
        var gone = cache.Kind == CacheKind.Sliding ? Seen(cache.Computed) : 0;
        for (; cache.Gone < gone; cache.Gone += BlockTokens)
        {
            var at = cache.Gone / BlockTokens;
            if (cache.Blocks[at] >= 0)
            {
                _space.Pool.Release(cache.Blocks[at]);
            }

            (cache.Blocks[at], cache.Indexed) = (-1, -1);
        }
    }

    bool Fits(KvCache cache, ReadOnlySpan<int> reused, int gap, int spare)
    {
        var (used, mark) = (0, ++_mark);
        foreach (var active in _active)
        {
            used += Mark(active.Blocks.Span, mark);
        }

        foreach (var pin in _pins)
        {
            used += Mark(pin.Blocks, mark);
        }

        var needed = BlocksFor(cache.Wanted) - Math.Max(0, gap - reused.Length);
        foreach (var block in reused)
        {
            needed -= block < 0 || _marks[block] == mark ? 1 : 0;
        }

        return needed + (_active.Count == 0 ? 0 : spare) <= _space.Pool.Total - used;
    }

    /// <returns>How many were not marked before.</returns>
    int Mark(ReadOnlySpan<int> blocks, int mark)
    {
        var marked = 0;
        foreach (var block in blocks)
        {
            if (block >= 0)
            {
                marked += _marks[block] == mark ? 0 : 1;
                _marks[block] = mark;
            }
        }

        return marked;
    }

    void Forget(KvCache cache)
    {
        while (cache.Blocks.Count > 0)
        {
            var block = cache.Blocks.RemoveLast();
            if (block < 0)
            {
                continue;
            }

            var isOurs = _space.Pool.References(block) == 1 + PinsOf(block);
            if (isOurs && _space.Pool.IsFindable(block))
            {
                _space.Index.RemoveTree(block);
            }

            _space.Pool.Release(block);
        }

        _space.Release(cache);
    }

    void AdoptPrefix(KvCache cache, KvCache kept, int tokens)
    {
        cache.Adopt(kept);
        cache.IsExact |= tokens == 0;
        _space.Truncate(cache, BlocksFor(tokens));
        cache.Indexed = tokens == 0 ? 0 : Math.Min(cache.Indexed, tokens / BlockTokens);
        cache.Gone = tokens == 0 ? 0 : cache.Gone;
        cache.SetComputed(MakeLastPrivate(cache, tokens) ? tokens : tokens / BlockTokens * BlockTokens);
    }

    /// <summary>The block that will be written next must be seen by its holder alone.</summary>
    /// <returns>False when there was no block for a copy; the partial block is given up.</returns>
    bool MakeLastPrivate(KvCache cache, int tokens)
    {
        var inLast = tokens % BlockTokens;
        if (inLast == 0 || _space.Pool.IsPrivate(cache.Blocks[^1]))
        {
            return true;
        }

        var shared = cache.Blocks[^1];
        if (_space.Pool.References(shared) == 1 && _space.Index.IsTail(shared))
        {
            _space.Index.Remove(shared);
            return true;
        }

        var copy = _space.Take();
        cache.Blocks.RemoveLast();
        if (copy >= 0)
        {
            device.CopyPrefix(shared, copy, inLast);
            cache.Blocks.Add(copy);
        }

        _space.Pool.Release(shared);
        return copy >= 0;
    }

    void SharePrefix(KvCache cache, int partial, int partialTokens)
    {
        foreach (var block in _found)
        {
            _space.Pool.Share(block);
            cache.Blocks.Add(block);
        }

        cache.Indexed = _found.Count;
        cache.SetComputed(_found.Count * BlockTokens);
        if (partialTokens > 0)
        {
            _space.Pool.Share(partial);
            cache.Blocks.Add(partial);
            var tokens = cache.Computed + partialTokens;
            cache.SetComputed(MakeLastPrivate(cache, tokens) ? tokens : cache.Computed);
        }
    }

    /// <summary>Fills <see cref="_found"/> with the shared blocks of a prefix. A cache that is not exact stays apart, and so the
    /// same wherever it goes.</summary>
    (int Block, int Tokens) Find(KvCache cache, ReadOnlySpan<int> tokens)
    {
        _found.Clear();
        return cache.IsShared ? _space.Index.Find(cache.Scope, tokens, _found) : (-1, 0);
    }

    /// <param name="gap">Leading blocks of which nobody will see anything.</param>
    void Fill(KvCache cache, int gap)
    {
        while (cache.Blocks.Count < gap)
        {
            cache.Blocks.Add(-1);
            cache.Indexed = -1;
        }

        if (!TryGrow(cache, cache.Wanted))
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
            _space.Host.Load(copy, cache.Blocks.Span, cache.Computed / BlockTokens * BlockTokens, tokens);
            cache.SetComputed(tokens);
            cache.IsExact &= kept?.IsExact ?? true;
        }

        _space.DropHost(cache);
    }

    void IndexTail(KvCache cache)
    {
        var tail = cache.Computed % BlockTokens;
        var full = cache.Computed / BlockTokens;
        if (tail > 0 && cache.IsShared && cache.Indexed == full && _space.Pool.IsPrivate(cache.Blocks[full]))
        {
            var tokens = cache.Tokens.Span.Slice(full * BlockTokens, tail);
            _space.Index.Add(cache.Scope, full == 0 ? -1 : cache.Blocks[full - 1], tokens, cache.Blocks[full]);
        }
    }
}
