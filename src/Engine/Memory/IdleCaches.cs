namespace Hearth.Engine.Memory;

/// <summary>Caches of conversations that wait for their next turn, in one tier, least recently used first.</summary>
sealed class IdleCaches
{
    readonly LinkedList<KvCache> _order = new();

    public int Count => _order.Count;
    public IEnumerable<KvCache> All => _order;

    public void Add(KvCache cache) => cache.Place = _order.AddLast(cache);

    public void Remove(KvCache cache)
    {
        _order.Remove(cache.Place!);
        cache.Place = null;
    }

    /// <summary>The least recently used cache of those scopes that hold at least an equal share, so that a flood of
    /// one scope pushes out its own caches first; null if there is none.</summary>
    public KvCache? Victim()
    {
        var held = new Dictionary<string, long>(StringComparer.Ordinal);
        var total = 0L;
        foreach (var cache in _order)
        {
            held[cache.Scope] = held.GetValueOrDefault(cache.Scope) + cache.Held;
            total += cache.Held;
        }

        foreach (var cache in _order)
        {
            if (held[cache.Scope] * held.Count >= total)
            {
                return cache;
            }
        }

        return null;
    }
}
