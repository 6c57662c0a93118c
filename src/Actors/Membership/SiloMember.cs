using Hearth.Actors.Placement;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors.Membership;

/// <summary>A silo's own part in the membership: joins, beats, stops itself in time, leaves.</summary>
public sealed class SiloMember(
    IMembershipStore store, MembershipOptions options, Func<SiloLoad> load, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    readonly (IMembershipStore, MembershipOptions, Func<SiloLoad>, TimeProvider, ILogger) _parts = (store, options, load, time, logger);

    public Lease Lease => throw new NotImplementedException(_parts.ToString());

    /// <summary>Completes when this silo was declared dead: the process must end.</summary>
    public Task Died => throw new NotImplementedException();

    /// <summary>Called when the store is another one than before (restarted, rolled back, failed over): what is owned must be
    /// checked against it. While it runs the lease is not held.</summary>
    public Func<CancellationToken, Task> Revalidate { get; set; } = _ => Task.CompletedTask;

    /// <summary>Enters the table as Joining and begins to beat.</summary>
    public ValueTask JoinAsync(SiloEntry silo, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Active, then Draining.</summary>
    public ValueTask SetStatusAsync(SiloStatus status, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Leaves for good: only after everything owned was given back.</summary>
    public ValueTask LeaveAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Stops beating without leaving.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
