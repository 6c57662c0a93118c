using System.Collections.Concurrent;
using Hearth.Contracts;

namespace Hearth.Engine.Memory;

/// <summary>The blocks and the host tier, the conversations that wait in them, and what gives way under pressure, in this order:
/// free blocks, idle prefixes, idle conversations (to host memory); then it is the loop's choice whom to preempt.</summary>
sealed class KvSpace
{
    readonly IdleCaches _idle = new();
    readonly IdleCaches _spilled = new();
    readonly ConcurrentDictionary<CacheId, KvCache> _byId = new();

    public KvSpace(IKvBlocks blocks, long hostBytes)
    {
        Pool = new BlockPool(blocks.Count);
        Index = new PrefixIndex(Pool, blocks.BlockTokens);
        Host = new HostTier(blocks, hostBytes);
    }

    public BlockPool Pool { get; }
    public PrefixIndex Index { get; }
    public HostTier Host { get; }

    /// <summary>Waiting on the device, least recently used first.</summary>
    public IEnumerable<KvCache> Idle => _idle.All;

    /// <summary>Waiting in host memory, least recently used first.</summary>
    public IEnumerable<KvCache> Spilled => _spilled.All;

    public int IdleCount => _idle.Count;
    public int SpilledCount => _spilled.Count;

    /// <summary>A conversation's latest cache, active or idle. From any thread.</summary>
    public KvCache? Find(CacheId id) => _byId.GetValueOrDefault(id);

    /// <summary>The cache is its conversation's latest; an idle one of another scope goes.</summary>
    public void Claim(KvCache cache)
    {
        if (Find(cache.Id) is { Place: not null } older)
        {
            Unlist(older);
            Release(older);
        }

        _byId[cache.Id] = cache;
    }

    /// <summary>The conversation's idle cache; one of another scope is not its own.</summary>
    public KvCache? Kept(KvCache cache) =>
        _byId.TryGetValue(cache.Id, out var kept) && kept.Place is not null && kept.Scope == cache.Scope ? kept : null;

    /// <summary>Keeps a cache for its conversation's next turn.</summary>
    public void List(KvCache cache)
    {
        Claim(cache);
        (cache.Host is null ? _idle : _spilled).Add(cache);
    }

    /// <summary>Takes an idle cache out of its tier's order; its holdings stay.</summary>
    public void Unlist(KvCache? kept)
    {
        if (kept?.Place is not null)
        {
            (kept.Host is null ? _idle : _spilled).Remove(kept);
        }
    }

    /// <summary>A free block, or one that gives way.</summary>
    public int Take()
    {
        while (true)
        {
            var block = Pool.Take();
            if (block >= 0 || !(Index.Reclaim() || SpillIdle()))
            {
                return block;
            }
        }
    }

    /// <summary>Copies a cache to host memory, older copies giving way; null if it does not fit.</summary>
    public HostCopy? TryStore(KvCache cache, int tokens)
    {
        if (tokens == 0 || Host.SizeOf(tokens) > Host.BytesTotal)
        {
            return null;
        }

        while (!Host.Fits(tokens) && _spilled.Victim() is { } oldest)
        {
            _spilled.Remove(oldest);
            Release(oldest);
        }

        return Host.Fits(tokens) ? Host.Store(cache.Blocks.Span, tokens, cache.Gone) : null;
    }

    public void Truncate(KvCache cache, int blocks)
    {
        while (cache.Blocks.Count > blocks)
        {
            if (cache.Blocks.RemoveLast() is >= 0 and var block)
            {
                Pool.Release(block);
            }
        }
    }

    public void ReleaseBlocks(KvCache cache)
    {
        Truncate(cache, 0);
        (cache.Indexed, cache.Gone) = (0, 0);
    }

    public void DropHost(KvCache cache)
    {
        if (cache.Host is { } copy)
        {
            Host.Drop(copy);
            cache.ForgetHost();
        }
    }

    /// <summary>Gives all of a cache back.</summary>
    public void Release(KvCache cache)
    {
        ReleaseBlocks(cache);
        cache.SetComputed(0);
        DropHost(cache);
        _byId.TryRemove(new KeyValuePair<CacheId, KvCache>(cache.Id, cache));
    }

    bool SpillIdle()
    {
        if (_idle.Victim() is not { } victim)
        {
            return false;
        }

        Spill(victim);
        return true;
    }

    /// <summary>An idle cache goes from the device to host memory, or away if there is no room.</summary>
    public void Spill(KvCache victim)
    {
        _idle.Remove(victim);
        var copy = TryStore(victim, victim.Computed);
        ReleaseBlocks(victim);
        victim.MoveTo(copy);
        if (copy is null)
        {
            Release(victim);
        }
        else
        {
            _spilled.Add(victim);
        }
    }
}
