using Hearth.Actors;

namespace Hearth.Gateway.Cluster;

/// <summary>Where conversations were last seen. A hint, which the silos correct. Two generations: what is not asked for while a
/// generation fills up is forgotten. Thread-safe.</summary>
sealed class OwnerCache(int capacity)
{
    readonly Lock _gate = new();
    Dictionary<GrainId, string> _young = [];
    Dictionary<GrainId, string> _old = [];

    /// <summary>The silo's id, or null.</summary>
    public string? Find(GrainId grain)
    {
        lock (_gate)
        {
            if (_young.TryGetValue(grain, out var silo))
            {
                return silo;
            }
            if (_old.Remove(grain, out silo))
            {
                Put(grain, silo);
            }
            return silo;
        }
    }

    public void Set(GrainId grain, string silo)
    {
        lock (_gate)
        {
            Put(grain, silo);
        }
    }

    /// <summary>Forgets the grain, unless it was seen elsewhere since.</summary>
    public void Remove(GrainId grain, string silo)
    {
        lock (_gate)
        {
            Remove(_young, grain, silo);
            Remove(_old, grain, silo);
        }
    }

    static void Remove(Dictionary<GrainId, string> from, GrainId grain, string silo)
    {
        if (from.TryGetValue(grain, out var seen) && seen == silo)
        {
            from.Remove(grain);
        }
    }

    void Put(GrainId grain, string silo)
    {
        _young[grain] = silo;
        if (_young.Count >= capacity / 2)
        {
            (_young, _old) = ([], _young);
        }
    }
}
