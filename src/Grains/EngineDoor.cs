using Hearth.Contracts;

namespace Hearth.Grains;

/// <summary>Lets as many turns in as may wait for the engine, before anything is done for them. Those on their way to its queue
/// count: a burst would pass a door that looks at the queue alone, and be refused after all the work. Thread-safe.</summary>
sealed class EngineDoor(ITokenEngine engine)
{
    int _waiting;

    /// <returns>A place, kept until the turn begins or ends; null if there is none.</returns>
    public Place? TryEnter()
    {
        if (Interlocked.Increment(ref _waiting) <= engine.MaxQueue && !engine.IsFull)
            return new Place(this);
        Interlocked.Decrement(ref _waiting);
        return null;
    }

    public sealed class Place(EngineDoor door) : IDisposable
    {
        EngineDoor? _door = door;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _door, null) is { } open)
                Interlocked.Decrement(ref open._waiting);
        }
    }
}
