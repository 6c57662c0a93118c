using Hearth.Actors.Membership;
using Hearth.Actors.Transport;

namespace Hearth.Grains;

/// <summary>What a silo knows of its cluster, to move conversations and to fetch caches.</summary>
public sealed record SiloPeers
{
    public required IPeerNetwork Network { get; init; }

    /// <summary>A silo that is not dead, by id or name; null if there is none.</summary>
    public required Func<string, SiloEntry?> Find { get; init; }

    /// <summary>The silo that is best for a conversation of a model, except some by id; null if there is none.</summary>
    public required Func<string, IReadOnlyCollection<string>, SiloEntry?> Choose { get; init; }
}
