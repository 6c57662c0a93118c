using System.Diagnostics.Metrics;
using Hearth.Actors.Transport;
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
    readonly Counter<long> _faults;
    readonly Histogram<double> _duration;

    public RoutingMetrics()
    {
        _routes = _meter.CreateCounter<long>("hearth.gateway.turns_routed", null, "Turns by how their silo was found.",
            [GatewayLabels.How]);
        _redirects = _meter.CreateCounter<long>("hearth.gateway.redirects", null,
            "Times that a silo said that another one has the conversation.");
        _takeovers = _meter.CreateCounter<long>("hearth.gateway.takeovers", null,
            "Running turns whose stream went on from another silo.");
        _faults = _meter.CreateCounter<long>("hearth.gateway.peer_faults", null, "Calls to silos that broke.",
            [GatewayLabels.Fault]);
        _duration = _meter.CreateHistogram("hearth.gateway.route_duration", "s",
            "To find a turn's silo and hand the turn over.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = s_seconds });
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

    public void Broke(PeerFault fault) => _faults.Add(1, new KeyValuePair<string, object?>("fault", fault switch
    {
        PeerFault.Unreachable => "unreachable",
        PeerFault.Lost => "lost",
        PeerFault.Aborted => "aborted",
        PeerFault.Deadline => "deadline",
        PeerFault.Refused => "refused",
        _ => "failed",
    }));

    public void Dispose() => _meter.Dispose();
}
