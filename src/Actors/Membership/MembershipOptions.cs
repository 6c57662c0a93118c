namespace Hearth.Actors.Membership;

/// <summary>Times of membership. Every process of a cluster must have the same.</summary>
public sealed record MembershipOptions
{
    /// <summary>How long a silo may act after a beat, and how long others wait before they take over.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>Time between beats.</summary>
    public TimeSpan Beat { get; init; } = TimeSpan.FromSeconds(0.25);

    /// <summary>How much earlier than its lease's end a silo stops by itself: clocks may differ in speed by Margin /
    /// Lease.</summary>
    public TimeSpan Margin { get; init; } = TimeSpan.FromSeconds(0.3);

    /// <summary>Time between two looks at the table.</summary>
    public TimeSpan Watch { get; init; } = TimeSpan.FromSeconds(0.25);

    /// <summary>What an observer did not see for longer than this says nothing about a silo: it begins to wait anew.</summary>
    internal TimeSpan Gap => Lease / 2;

    /// <summary>After the store was away, or was never seen before, silos need time to find it again.</summary>
    internal TimeSpan LeaseAfterOutage => Lease * 3;

    /// <exception cref="ArgumentException">The times do not fit together: says how.</exception>
    internal MembershipOptions Checked()
    {
        if (Beat <= TimeSpan.Zero || Watch <= TimeSpan.Zero || Margin <= TimeSpan.Zero)
            throw new ArgumentException($"{nameof(Beat)}, {nameof(Watch)} and {nameof(Margin)} must be more than zero.");
        if (Beat * 3 > Lease - Margin)
            throw new ArgumentException($"{nameof(Lease)} must have room for three beats: at least {Beat * 3 + Margin}.");
        if (Watch * 2 > Gap)
            throw new ArgumentException($"{nameof(Lease)} must have room for four looks at the table: at least {Watch * 4}.");
        return this;
    }
}
