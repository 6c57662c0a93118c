using Hearth.Contracts;
using Hearth.Grains.Replies;

namespace Hearth.Grains;

/// <summary>What a reader of a turn has joined: a live turn that it must leave, or the events of one that is done, or a
/// failure.</summary>
sealed record Joined(LiveTurn? Live, IReadOnlyList<TurnEvent> Stored, TurnFailure? Failure)
{
    public Joined(LiveTurn live) : this(live, [], null)
    {
    }

    public Joined(IReadOnlyList<TurnEvent> stored) : this(null, stored, null)
    {
    }

    public Joined(TurnFailure failure) : this(null, [], failure)
    {
    }
}
