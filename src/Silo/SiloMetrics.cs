using System.Diagnostics.Metrics;
using Hearth.Actors.Membership;
using Hearth.Actors.Metrics;
using Hearth.Grains;

namespace Hearth.Silo;

/// <summary>What a silo is and has (meter <c>Hearth.Silo</c>).</summary>
sealed class SiloMetrics : IDisposable
{
    static readonly KeyValuePair<string, object?> _state = new("state", new[] { "hot", "warm", "cold" });
    static readonly KeyValuePair<string, object?>[] _info = [new("silo", null), new("device", null), new("model_name", null)];

    readonly Meter _meter = new("Hearth.Silo");

    public SiloMetrics(LocalCluster cluster)
    {
        _meter.CreateObservableGauge("hearth.activations", () => cluster.Load.Activations, null,
            "Conversations that are activated.");
        _meter.CreateObservableGauge("hearth.conversations", () => Conversations(cluster), null,
            "Activated conversations: cache on the device, in host memory, or only in the store.", [_state]);
    }

    /// <summary>Adds what a member of a cluster has beside.</summary>
    /// <param name="id">The silo's name and generation now.</param>
    public void Join(SiloMember member, LocalCluster cluster, Func<string> id, string device)
    {
        _meter.CreateObservableGauge("hearth.silo_info", () => cluster.Models.Select(model => new Measurement<int>(
            1, new("silo", id()), new("device", device), new("model_name", model.Name))), null,
            "Always 1; silo is name and generation.", _info);
        _meter.CreateObservableGauge("hearth.silo_status",
            () => MembershipMetrics.ByStatus(status => member.Status == status ? 1 : 0), null,
            "1 for the status that this silo has.", [MembershipMetrics.StatusLabel]);
        _meter.CreateObservableGauge("hearth.lease.held", () => member.Lease.IsHeld ? 1 : 0, null, "1 while this silo may act.");
        _meter.CreateObservableGauge("hearth.lease.margin", () => member.Lease.Left.TotalSeconds, "s",
            "How much longer it may act without another beat; 0 if it may not.");
    }

    public void Dispose() => _meter.Dispose();

    static IEnumerable<Measurement<int>> Conversations(LocalCluster cluster)
    {
        var (all, load) = (cluster.Load.Activations, cluster.Status.Load);
        var hot = Math.Min(load.CachesOnDevice, all);
        var warm = Math.Min(load.CachesInHost, all - hot);
        return [Of("hot", hot), Of("warm", warm), Of("cold", all - hot - warm)];

        static Measurement<int> Of(string state, int count) => new(count, new KeyValuePair<string, object?>(_state.Key, state));
    }
}
