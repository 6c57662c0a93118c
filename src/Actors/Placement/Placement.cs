using Hearth.Actors.Membership;

namespace Hearth.Actors.Placement;

/// <summary>Where a new activation goes: among two random silos and the one that has its prefix, the one with most room and least
/// work.</summary>
public static class PlacementRule
{
    /// <param name="prefix">Key of what the conversation begins with; 0 for nothing known.</param>
    /// <param name="except">Silos that are not to be chosen.</param>
    /// <returns>Null if no active silo serves the model.</returns>
    public static SiloEntry? Choose(MembershipView view, Func<string, SiloLoad> load, string model, ulong prefix,
        IReadOnlyCollection<string> except, Random random) =>
        throw new NotImplementedException($"{view}{load}{model}{prefix}{except}{random}");
}
