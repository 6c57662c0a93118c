namespace Hearth.Actors.Membership;

/// <summary>Tells which silos' leases have run out, from the reads of one observer. Their own lease began when their last beat
/// was sent, so it has ended once that beat has stood unchanged for a lease after it was first seen: no clocks are compared.
/// An observer that paused, or could not reach the store, knows nothing of the time between and begins anew. No I/O, no
/// clock.</summary>
sealed class DeathWatch(MembershipOptions options, TimeProvider time)
{
    readonly Dictionary<string, Sighting> _sightings = [];
    string _incarnation = "";
    long _lastSent;
    bool _unbroken;
    bool _outage = true;

    /// <summary>A read failed.</summary>
    public void Missed() => (_unbroken, _outage) = (false, true);

    /// <summary>Takes a successful read in.</summary>
    /// <param name="sent">Timestamp before the read, by which earlier beats were in the table.</param>
    /// <param name="received">Timestamp after it, by which it was in the past.</param>
    /// <returns>Silos that are to be declared dead, each with the beat that it stopped at.</returns>
    public IReadOnlyList<(string Silo, long Beat)> Look(MembershipSnapshot seen, long sent, long received)
    {
        if (seen.View.Incarnation != _incarnation)
            Missed();
        if (!_unbroken || time.GetElapsedTime(_lastSent, received) > options.Gap)
            _sightings.Clear();
        (_incarnation, _lastSent, _unbroken) = (seen.View.Incarnation, sent, true);

        var overdue = new List<(string, long)>();
        foreach (var silo in seen.View.Silos)
        {
            if (silo.Status == SiloStatus.Dead)
                _sightings.Remove(silo.Id);
            else if (IsOverdue(silo.Id, seen.Beats.GetValueOrDefault(silo.Id).Count, sent, received))
                overdue.Add((silo.Id, _sightings[silo.Id].Beat));
        }
        foreach (var gone in _sightings.Keys.Where(id => seen.View.Find(id) is null).ToList())
            _sightings.Remove(gone);
        _outage = false;
        return overdue;
    }

    /// <summary>How long until the first silo may be overdue, if none beats; null if there is none to watch.</summary>
    public TimeSpan? NextDue(long now) =>
        _sightings.Count == 0 ? null : _sightings.Values.Min(s => s.Patience - time.GetElapsedTime(s.Since, now));

    bool IsOverdue(string silo, long beat, long sent, long received)
    {
        if (_sightings.TryGetValue(silo, out var sighting) && sighting.Beat == beat)
            return time.GetElapsedTime(sighting.Since, sent) >= sighting.Patience;
        _sightings[silo] = new Sighting(beat, received, _outage ? options.LeaseAfterOutage : options.Lease);
        return false;
    }

    readonly record struct Sighting(long Beat, long Since, TimeSpan Patience);
}
