using Hearth.Actors.Membership;

namespace Hearth.Actors.Placement;

/// <param name="Count">Conversations to move there now.</param>
public readonly record struct RebalanceMove(SiloEntry Target, int Count);

/// <summary>Tells a silo how many conversations it should give away, and to whom. Each silo plans for its own surplus over its
/// fair share only, so nobody leads and no two plans meet: all surpluses together are all deficits. It begins late and goes on
/// to the end, so that loads that sway move nothing. No I/O.</summary>
/// <param name="random">Not shared with others.</param>
public sealed class Rebalancer(TimeProvider time, Random random)
{
    // A silo that has a fifth more than its share is worth the moves, and so is one that has not half of it, as a new one;
    // once begun it goes on until what is over is not worth one more.
    const double BeginAbove = 0.2;
    const double BeginBelow = 0.5;
    const double EndAbove = 0.02;

    // Of fewer, one more or less would be a large part.
    const int SurplusMin = 8;

    (string Incarnation, long Version) _view;
    long _viewSince;
    long _lastMoves;
    bool _isMoving;
    bool _hasMoved;

    /// <summary>To be asked again and again; says nothing while the cluster changes, and at most
    /// <see cref="Limits.RebalanceMovesPerMinute"/>.</summary>
    /// <param name="activations">Of this silo, now.</param>
    /// <param name="movable">How many of them have stayed here long enough, <see cref="Limits.RebalanceStay"/>, to be moved
    /// again.</param>
    public IReadOnlyList<RebalanceMove> Plan(
        MembershipView view, Func<string, SiloLoad> load, string self, int activations, int movable)
    {
        if (!IsDue(view))
            return [];
        var own = load(self);
        var peers = view.Silos.Where(s => s.Status == SiloStatus.Active)
            .Select(s => (Silo: s, Load: s.Id == self ? own with { Activations = activations } : load(s.Id)))
            .Where(p => p.Load.BlocksTotal > 0 && p.Load.Models.Intersect(own.Models).Any()).ToList();
        if (!peers.Exists(p => p.Silo.Id == self))
            return [];

        // A fair share is by memory: that is what conversations take.
        var perBlock = peers.Sum(p => (double)p.Load.Activations) / peers.Sum(p => (double)p.Load.BlocksTotal);
        var fair = perBlock * own.BlocksTotal;
        var surplus = activations - (int)Math.Ceiling(fair);
        var deficits = peers.Select(p => (p.Silo, Fair: perBlock * p.Load.BlocksTotal, p.Load.Activations))
            .Select(p => (p.Silo, Room: (int)p.Fair - p.Activations, IsPoor: p.Activations < BeginBelow * p.Fair))
            .Where(d => d.Room > 0).ToList();
        var begins = surplus > Math.Max(SurplusMin, BeginAbove * fair) || deficits.Exists(d => d.IsPoor && d.Room > SurplusMin);
        _isMoving = surplus > EndAbove * fair && (_isMoving || begins);
        if (!_isMoving)
            return [];
        var count = Math.Min(Math.Min(surplus, movable), Limits.RebalanceMovesAtOnce);
        var moves = Share(count, deficits.ConvertAll(d => (d.Silo, d.Room)));
        if (moves.Count > 0)
            (_lastMoves, _hasMoved) = (time.GetTimestamp(), true);
        return moves;
    }

    /// <summary>Whether the cluster has been the same for a while, and the last moves show in the loads.</summary>
    bool IsDue(MembershipView view)
    {
        if (_view != (view.Incarnation, view.Version))
            (_view, _viewSince, _isMoving) = ((view.Incarnation, view.Version), time.GetTimestamp(), false);
        return time.GetElapsedTime(_viewSince) >= Limits.RebalanceSettle
            && !(_hasMoved && time.GetElapsedTime(_lastMoves) < Limits.RebalancePeriod);
    }

    /// <summary>Deals out by how much room each has: in turns drawn at random, for other silos deal too.</summary>
    List<RebalanceMove> Share(int count, List<(SiloEntry Silo, int Room)> deficits)
    {
        var dealt = new int[deficits.Count];
        var room = deficits.Sum(d => d.Room);
        for (var left = Math.Min(count, room); left > 0; left--)
        {
            var draw = random.Next(room--);
            for (var i = 0; ; i++)
            {
                draw -= deficits[i].Room - dealt[i];
                if (draw < 0)
                {
                    dealt[i]++;
                    break;
                }
            }
        }
        return [.. deficits.Select((d, i) => new RebalanceMove(d.Silo, dealt[i])).Where(m => m.Count > 0)];
    }
}
