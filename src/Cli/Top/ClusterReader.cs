using System.Text.Json.Nodes;
using Hearth.Cli.Admin;

namespace Hearth.Cli.Top;

/// <summary>Asks the gateways: one of them for the silos, each for its own figures.</summary>
sealed class ClusterReader(IReadOnlyList<AdminClient> gateways, TimeProvider time)
{
    static readonly TimeSpan _patience = TimeSpan.FromSeconds(3);

    public async Task<ClusterSample> ReadAsync(CancellationToken cancellationToken)
    {
        var at = time.GetTimestamp();
        var metrics = Task.WhenAll(gateways.Select(g => MetricsAsync(g, cancellationToken)));
        var (cluster, fault) = ((JsonObject?)null, (string?)null);
        foreach (var gateway in gateways)
        {
            try
            {
                cluster = await WithinAsync(
                    stop => gateway.SendAsync(HttpMethod.Get, "admin/cluster", null, stop), gateway, cancellationToken);
                break;
            }
            catch (CliException e)
            {
                fault ??= e.Message;
            }
        }
        return cluster is null
            ? new ClusterSample(at, false, "", [], await metrics, fault)
            : new ClusterSample(at, cluster["ready"]?.GetValue<bool>() == true, AdminVerb.Text(cluster["reason"]),
                [.. (cluster["silos"]?.AsArray() ?? []).Select(s => SiloOf(s!))], await metrics, null);
    }

    async Task<GatewaySample> MetricsAsync(AdminClient gateway, CancellationToken cancellationToken)
    {
        try
        {
            var text = await WithinAsync(stop => gateway.TextAsync("metrics", stop), gateway, cancellationToken);
            return new GatewaySample(gateway.Address, new MetricsText(text), null);
        }
        catch (CliException e)
        {
            return new GatewaySample(gateway.Address, null, e.Message);
        }
    }

    async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> ask, AdminClient gateway, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(_patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            return await ask(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(
                $"{gateway.Address} did not answer in {_patience.TotalSeconds:0} s.", ExitCodes.Temporary);
        }
    }

    static SiloSample SiloOf(JsonNode silo)
    {
        return new SiloSample(Text("id"), Text("status"), Text("device"), Text("models"), Number("conversations"),
            Number("running"), Number("waiting"), Number("blocks_used"), Number("blocks_total"),
            (silo["counts"] as JsonObject ?? []).ToDictionary(c => c.Key, c => c.Value?.GetValue<long>() ?? 0));

        string Text(string name) => AdminVerb.Text(silo[name]);
        int Number(string name) => silo[name]?.GetValue<int>() ?? 0;
    }
}
