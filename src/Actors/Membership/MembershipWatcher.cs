using Hearth.Actors.Placement;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors.Membership;

/// <summary>Reads the table of silos again and again, keeps the newest view, and declares those dead whose lease has run out.
/// Gateways and silos each have one. Thread-safe.</summary>
public sealed class MembershipWatcher(
    IMembershipStore store, MembershipOptions options, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    readonly (IMembershipStore, MembershipOptions, TimeProvider, ILogger) _parts = (store, options, time, logger);

    public MembershipView View => throw new NotImplementedException(_parts.ToString());

    /// <summary>Load of each silo of the view, as it last told; the default for one that has not told yet.</summary>
    public SiloLoad LoadOf(string silo) => throw new NotImplementedException();

    /// <summary>Whether the store answered lately.</summary>
    public bool IsCurrent => throw new NotImplementedException();

    /// <summary>Completes with the next view that is newer than the given one.</summary>
    public Task<MembershipView> NextAsync(MembershipView after, CancellationToken cancellationToken) =>
        throw new NotImplementedException();

    /// <summary>Reads the first view and begins to watch.</summary>
    public ValueTask StartAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Reads the table at once.</summary>
    public ValueTask<MembershipView> RefreshAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Whether a silo is gone for good: dead, or in no row of a table that was read after the question came up.</summary>
    public ValueTask<bool> IsGoneAsync(string silo, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>A connection to it broke: looks more often for a while. Decides nothing.</summary>
    public void Suspect(string silo) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

/// <summary>Times of membership.</summary>
public sealed record MembershipOptions
{
    /// <summary>How long a silo may act after a beat, and how long others wait before they take over.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>Time between beats.</summary>
    public TimeSpan Beat { get; init; } = TimeSpan.FromSeconds(0.25);

    /// <summary>How much earlier than its lease's end a silo stops by itself.</summary>
    public TimeSpan Margin { get; init; } = TimeSpan.FromSeconds(0.3);

    /// <summary>Time between two looks at the table.</summary>
    public TimeSpan Watch { get; init; } = TimeSpan.FromSeconds(0.25);
}
