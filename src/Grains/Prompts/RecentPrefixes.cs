namespace Hearth.Grains.Prompts;

/// <summary>What the latest turns' conversations begin with (see <see cref="Contracts.PrefixKey"/>), newest first: it is told
/// to the
/// gateways, which place conversations that begin alike here. Thread-safe.</summary>
sealed class RecentPrefixes
{
    readonly Lock _lock = new();
    ulong[] _newest = [];

    public IReadOnlyList<ulong> Newest
    {
        get
        {
            lock (_lock)
                return _newest;
        }
    }

    public void Saw(ulong key)
    {
        lock (_lock)
        {
            if (key != 0 && (_newest.Length == 0 || _newest[0] != key))
                _newest = [key, .. _newest.Where(k => k != key).Take(Limits.PrefixesTold - 1)];
        }
    }
}
