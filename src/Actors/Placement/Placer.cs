using Hearth.Actors.Membership;

namespace Hearth.Actors.Placement;

/// <summary>Places by the loads that the silos last told and by what was placed here since, which they cannot have told yet: many
/// placements between two beats would all go to the same silos otherwise. Thread-safe.</summary>
/// <param name="random">Not shared with others.</param>
public sealed class Placer(MembershipWatcher watcher, Random random, TimeProvider time)
{
    readonly Lock _lock = new();
    readonly Queue<(string Silo, long At)> _recent = new();
    readonly Dictionary<string, int> _counts = [];

    /// <summary>Where an activation goes, and remembers that it did.</summary>
    /// <returns>Null if no active silo serves the model.</returns>
    public SiloEntry? Place(string model, ulong prefix, IReadOnlyCollection<string> except)
    {
        lock (_lock)
        {
            Forget();
            var chosen = PlacementRule.Choose(watcher.View, LoadOf, model, prefix, except, random);
            if (chosen is not null)
            {
                _recent.Enqueue((chosen.Id, time.GetTimestamp()));
                _counts[chosen.Id] = _counts.GetValueOrDefault(chosen.Id) + 1;
            }
            return chosen;
        }
    }

    SiloLoad LoadOf(string silo)
    {
        var told = watcher.LoadOf(silo);
        return _counts.TryGetValue(silo, out var more) ? told with { Running = told.Running + more } : told;
    }

    void Forget()
    {
        while (_recent.TryPeek(out var oldest)
            && (_recent.Count >= Limits.PlacementsRemembered || time.GetElapsedTime(oldest.At) > Limits.PlacementAge))
        {
            _recent.Dequeue();
            if (--_counts[oldest.Silo] == 0)
                _counts.Remove(oldest.Silo);
        }
    }
}
