namespace Hearth.Actors;

/// <summary>Why a grain does not take a message.</summary>
public enum RefusalKind
{
    /// <summary>Its mailbox is full.</summary>
    Busy,
    /// <summary>The silo holds as many activations as it may, and all are at work.</summary>
    TooManyActivations,
    /// <summary>The silo is stopping.</summary>
    Stopping,
    /// <summary>The grain was deleted.</summary>
    Deleted,
    /// <summary>Another silo that is alive owns it, or has just been given it: <see
    /// cref="GrainRefusedException.Silo"/>.</summary>
    OwnedElsewhere,
    /// <summary>Another activation has taken it over.</summary>
    Fenced,
    /// <summary>It was collected between the look-up and the message: look it up again.</summary>
    Gone,
}

public sealed class GrainRefusedException(RefusalKind kind, string message, string? silo = null) : Exception(message)
{
    public RefusalKind Kind => kind;

    /// <summary>OwnedElsewhere: the owner's silo, as far as it is known.</summary>
    public string? Silo => silo;
}
