namespace Hearth.Tests.Shared;

/// <summary>What a <see cref="FaultProxy"/> does to the bytes of one direction. Takes effect at once, also on open connections.</summary>
public sealed record FaultPlan
{
    public static FaultPlan None { get; } = new();

    /// <summary>Every read waits so long before it is passed on, and up to <see cref="Jitter"/> more.</summary>
    public TimeSpan Latency { get; init; }
    public TimeSpan Jitter { get; init; }

    /// <summary>Bytes passed at once, then a pause of <see cref="DripPause"/>; 0 for all there is.</summary>
    public int DripBytes { get; init; }
    public TimeSpan DripPause { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>A connection is cut (with a reset) when it has passed so many bytes; null for never.</summary>
    public long? CutAfter { get; init; }

    /// <summary>Bytes are read and thrown away: the sender sees a peer that takes everything, the receiver one that is silent.</summary>
    public bool Swallow { get; init; }

    /// <summary>Nothing is read: after the buffers are full the sender waits for ever, as behind a cable that was pulled.</summary>
    public bool Hold { get; init; }

    /// <summary>The part of the bytes, 0 to 1, of which one bit is flipped.</summary>
    public double Corrupt { get; init; }
}
