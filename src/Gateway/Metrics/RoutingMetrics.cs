using System.Diagnostics.Metrics;
using Hearth.Actors.Membership;
using Hearth.Gateway.Cluster;

namespace Hearth.Gateway;

/// <summary>What routing adds to the metrics (meter <c>Hearth.Gateway.Routing</c>).</summary>
sealed class RoutingMetrics : IDisposable
{
    static readonly double[] s_seconds = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0015, 0.0025, 0.005, 0.01, 0.05, 0.25, 1];

    readonly Meter _meter = new("Hearth.Gateway.Routing");
    readonly Counter<long> _routes;
    readonly Counter<long> _redirects;
    readonly Counter<long> _takeovers;
    readonly Histogram<double> _duration;

    public RoutingMetrics(SiloTable silos)
    {
        _routes = _meter.CreateCounter<long>("hearth_gateway_turns_routed",
            description: "Turns by how their silo was found: cached, located, placed or moved.");
        _redirects = _meter.CreateCounter<long>("hearth_gateway_redirects",
            description: "Times that a silo said that another one has the conversation.");
        _takeovers = _meter.CreateCounter<long>("hearth_gateway_takeovers",
            description: "Running turns whose stream went on from another silo.");
        _duration = _meter.CreateHistogram("hearth_gateway_route_duration", "s",
            "To find a turn's silo and hand the turn over.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = s_seconds });
        _meter.CreateObservableGauge("hearth_cluster_membership_version", () => silos.View.Version,
            description: "Version of the membership as this gateway sees it.");
        _meter.CreateObservableGauge("hearth_cluster_membership_current", () => silos.Watcher.IsCurrent ? 1 : 0,
            description: "1 while the membership is read in time.");
        _meter.CreateObservableGauge("hearth_cluster_silos", () => Enum.GetValues<SiloStatus>().Select(status =>
            new Measurement<int>(silos.View.Silos.Count(s => s.Status == status),
                new KeyValuePair<string, object?>("status", Name(status)))), description: "Silos by status.");
    }

    public void Routed(RouteKind kind, TimeSpan duration)
    {
        _routes.Add(1, new KeyValuePair<string, object?>("how", kind switch
        {
            RouteKind.Cached => "cached",
            RouteKind.Located => "located",
            RouteKind.Placed => "placed",
            _ => "moved",
        }));
        _duration.Record(duration.TotalSeconds);
    }

    public void Redirected() => _redirects.Add(1);

    public void TakenOver() => _takeovers.Add(1);

    public void Dispose() => _meter.Dispose();

    static string Name(SiloStatus status) => status switch
    {
        SiloStatus.Joining => "joining",
        SiloStatus.Active => "active",
        SiloStatus.Draining => "draining",
        _ => "dead",
    };
}
