using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Hearth.Actors.Membership;

namespace Hearth.Actors.Metrics;

/// <summary>The table of silos as a process sees it (meter <c>Hearth.Membership</c>).</summary>
public sealed class MembershipMetrics : IDisposable
{
    static readonly SiloStatus[] _all = [SiloStatus.Joining, SiloStatus.Active, SiloStatus.Draining, SiloStatus.Dead];

    static readonly Meter _shared = new("Hearth.Membership");

    static readonly Counter<long> _deaths = _shared.CreateCounter<long>("hearth.cluster.deaths", null,
        "Silos that this process declared dead.");

    readonly Meter _meter = new("Hearth.Membership");

    public MembershipMetrics(MembershipWatcher watcher)
    {
        // Shown at 0 before the first event.
        RuntimeHelpers.RunClassConstructor(typeof(MembershipMetrics).TypeHandle);
        _meter.CreateObservableGauge("hearth.cluster.membership_version", () => watcher.View.Version, null,
            "Version of the membership as it is seen here.");
        _meter.CreateObservableGauge("hearth.cluster.membership_current", () => watcher.IsCurrent ? 1 : 0, null,
            "1 while the membership is read in time.");
        _meter.CreateObservableGauge("hearth.cluster.silos",
            () => ByStatus(status => watcher.View.Silos.Count(s => s.Status == status)), null,
            "Silos by status as they are seen here.", [StatusLabel]);
    }

    public static KeyValuePair<string, object?> StatusLabel { get; } = new("status", _all.Select(NameOf).ToArray());

    /// <summary>A measurement for each status.</summary>
    public static IEnumerable<Measurement<int>> ByStatus(Func<SiloStatus, int> value) => _all.Select(status =>
        new Measurement<int>(value(status), new KeyValuePair<string, object?>(StatusLabel.Key, NameOf(status))));

    internal static void DeclaredDead() => _deaths.Add(1);

    public void Dispose() => _meter.Dispose();

    static string NameOf(SiloStatus status) => status switch
    {
        SiloStatus.Joining => "joining",
        SiloStatus.Active => "active",
        SiloStatus.Draining => "draining",
        _ => "dead",
    };
}
