namespace Hearth.Cli.Top;

/// <summary>What a cluster told at one moment.</summary>
/// <param name="At">Timestamp of the monotonic clock.</param>
/// <param name="Fault">Why no gateway told of the silos; null if one did.</param>
sealed record ClusterSample(long At, bool Ready, string Reason, IReadOnlyList<SiloSample> Silos,
    IReadOnlyList<GatewaySample> Gateways, string? Fault);

/// <param name="Counts">What it has done since it started.</param>
sealed record SiloSample(string Id, string Status, string Device, string Model, int Conversations, int Running, int Waiting,
    int BlocksUsed, int BlocksTotal, IReadOnlyDictionary<string, long> Counts)
{
    public long Count(string name) => Counts.GetValueOrDefault(name);
}

/// <param name="Metrics">Null if it did not give them.</param>
sealed record GatewaySample(string Url, MetricsText? Metrics, string? Fault);
