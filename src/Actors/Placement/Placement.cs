using Hearth.Actors.Membership;

namespace Hearth.Actors.Placement;

/// <summary>Where a new activation goes: among two random silos and two that have its prefix, the one with most room and least
/// work. Two random choices keep the loads even although they are told late: the best of all would draw everybody at
/// once.</summary>
public static class PlacementRule
{
    // In units of one running reply. A waiting one means that there is no room: it weighs double.
    const double WaitingWeight = 2;

    // Blocks in use are mostly kept caches: a full silo must let some go, which costs their owners a restore, not this turn.
    const double MemoryWeight = 4;

    // Keeps idle conversations even where nothing else differs: a hundred of them weigh one reply.
    const double ActivationWeight = 0.01;

    // A known prefix saves its prefill, about what two or three running replies cost a new one; a clearly busier silo is not
    // worth it.
    const double PrefixWeight = 3;

    /// <param name="prefix">Key of what the conversation begins with; 0 for nothing known.</param>
    /// <param name="except">Silos that are not to be chosen.</param>
    /// <returns>Null if no active silo serves the model.</returns>
    public static SiloEntry? Choose(MembershipView view, Func<string, SiloLoad> load, string model, ulong prefix,
        IReadOnlyCollection<string> except, Random random)
    {
        var able = new List<Candidate>();
        foreach (var silo in view.Silos.Where(s => s.Status == SiloStatus.Active && !except.Contains(s.Id)))
        {
            var told = load(silo.Id);
            if (told.Models.Contains(model))
                able.Add(new Candidate(silo, told, prefix != 0 && told.Prefixes.Contains(prefix)));
        }
        var holders = able.FindAll(c => c.HasPrefix);
        return Draw(able, random).Concat(Draw(holders, random)).MinBy(Score)?.Silo;
    }

    static double Score(Candidate candidate)
    {
        var load = candidate.Load;
        return load.Running + WaitingWeight * load.Waiting + ActivationWeight * load.Activations
            + MemoryWeight * load.BlocksUsed / Math.Max(1, load.BlocksTotal)
            - (candidate.HasPrefix ? PrefixWeight : 0);
    }

    /// <summary>Two different ones, in random order; fewer if there are fewer.</summary>
    static IEnumerable<Candidate> Draw(List<Candidate> from, Random random)
    {
        if (from.Count == 0)
            return [];
        var first = random.Next(from.Count);
        if (from.Count == 1)
            return [from[first]];
        var second = random.Next(from.Count - 1);
        return [from[first], from[second < first ? second : second + 1]];
    }

    sealed record Candidate(SiloEntry Silo, SiloLoad Load, bool HasPrefix);
}
