using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;

namespace Hearth.Gateway.Cluster;

/// <summary>How a silo was found.</summary>
enum RouteKind
{
    /// <summary>Seen there lately: perhaps no longer so.</summary>
    Cached,
    /// <summary>The directory names it as the owner.</summary>
    Located,
    /// <summary>Nobody owns the conversation: it was chosen.</summary>
    Placed,
    /// <summary>Another silo named it as the owner.</summary>
    Moved,
}

readonly record struct Route(SiloEntry Silo, RouteKind Kind);

/// <param name="Route">Null if there is no silo for it now.</param>
/// <param name="IsFree">Nobody owns the conversation.</param>
readonly record struct Located(Route? Route, bool IsFree);

/// <summary>Finds the silo of a conversation: the cache, then the directory, then placement.</summary>
sealed class Router(IGrainStore store, SiloTable silos, OwnerCache cache)
{
    public Route? Cached(GrainId grain) =>
        silos.Serving(cache.Find(grain)) is { } silo ? new Route(silo, RouteKind.Cached) : null;

    /// <param name="model">Asked for when a silo must be chosen.</param>
    /// <param name="except">Silos that are not to be chosen; an owner is an owner all the same.</param>
    /// <exception cref="StoreException">The directory does not answer.</exception>
    public async ValueTask<Located> LocateAsync(GrainId grain, Func<CancellationToken, ValueTask<string?>> model, ulong prefix,
        IReadOnlyCollection<string> except, CancellationToken cancellationToken)
    {
        var location = await store.LocateAsync(grain, cancellationToken);
        if (location?.Owner is { Silo: var owner })
        {
            if (silos.Serving(owner) is { } known)
            {
                return new Located(new Route(known, RouteKind.Located), false);
            }
            if (!await silos.Watcher.IsGoneAsync(owner, cancellationToken))
            {
                return new Located(silos.Serving(owner) is { } joined ? new Route(joined, RouteKind.Located) : null, false);
            }
        }
        if (await model(cancellationToken) is not { } name)
        {
            return new Located(null, true);
        }
        // Its engine may still hold the cache.
        if (location?.LastSilo is { } last && !except.Contains(last)
            && silos.Serving(last) is { Status: SiloStatus.Active } before
            && silos.LoadOf(before) is var load && load.Waiting < Limits.WaitingToAvoid && load.Models.Contains(name))
        {
            return new Located(new Route(before, RouteKind.Placed), true);
        }
        return new Located(Place(name, prefix, except), true);
    }

    /// <summary>A silo for a conversation that nobody has; null if there is none.</summary>
    public Route? Place(string model, ulong prefix, IReadOnlyCollection<string> except) =>
        silos.Place(model, prefix, except) is { } chosen ? new Route(chosen, RouteKind.Placed) : null;

    public void Seen(GrainId grain, Route route)
    {
        if (route.Kind != RouteKind.Cached)
        {
            cache.Set(grain, route.Silo.Id);
        }
    }

    public void Forget(GrainId grain, string silo) => cache.Remove(grain, silo);
}
