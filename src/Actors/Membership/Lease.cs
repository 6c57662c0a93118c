namespace Hearth.Actors.Membership;

/// <summary>A silo's right to act, on its own monotonic clock: it ends before anyone may take over. Thread-safe.</summary>
public sealed class Lease
{
    /// <summary>For a silo that shares with nobody: never ends.</summary>
    public static Lease Forever { get; } = new();

    readonly bool _held = true;

    /// <summary>Whether the silo may act at this very moment. Cheap: asked before everything that others could see.</summary>
    public bool IsHeld => _held;

    /// <summary>Returns when the lease is held: at once, or after the next renewal.</summary>
    /// <exception cref="LeaseLostException">The silo was declared dead: it will never be held again.</exception>
    public ValueTask HeldAsync(CancellationToken cancellationToken) =>
        _held ? ValueTask.CompletedTask : ValueTask.FromCanceled(cancellationToken);
}

/// <summary>This silo was declared dead: it must end.</summary>
public sealed class LeaseLostException(string message) : Exception(message);
