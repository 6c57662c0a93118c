namespace Hearth.Gateway.Cluster;

/// <summary>How long a gateway tries before it gives up. Nobody has to set these: they follow from the lease and from what a
/// client waits for; tests are in more of a hurry.</summary>
sealed record RoutingOptions
{
    /// <summary>A turn that lost its silo looks for another one, or waits for the old one to come back or be declared dead, this
    /// long without a single event.</summary>
    public TimeSpan Recovery { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A silo that is alive and says nothing of a turn for this long has failed it. Waiting turns are silent
    /// too.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Of a call that answers with one value; moving a large conversation counts as <see cref="Silence"/>.</summary>
    public TimeSpan Call { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>First and longest wait between two tries; a change of the membership ends it early.</summary>
    public TimeSpan RetryFirst { get; init; } = TimeSpan.FromMilliseconds(25);
    public TimeSpan RetryMax { get; init; } = TimeSpan.FromSeconds(1);
}
