using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Operate.Tests;

/// <summary>What a scrape is of, with the labels that a cluster's service discovery would give it.</summary>
sealed record Target(string Job, string Pod, string Address);

/// <summary>A real Prometheus on a free port that scrapes a few targets each second and evaluates the chart's rules.</summary>
sealed class Prometheus : IAsyncDisposable
{
    const string Namespace = "test";

    readonly DirectoryInfo _folder;
    readonly Process _process;
    readonly HttpClient _http;

    Prometheus(DirectoryInfo folder, Process process, int port) => (_folder, _process, _http) = (folder, process,
        new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")) });

    public static string Alerts { get; } = Path.Combine(HearthNode.Root, "helm", "hearth", "alerts");

    public static async Task<Prometheus> StartAsync(IEnumerable<Target> targets, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("hearth-prometheus-");
        var configuration = Path.Combine(folder.FullName, "prometheus.yml");
        var port = FreePort();
        await File.WriteAllTextAsync(configuration, Configuration(targets), cancellationToken);
        string[] arguments =
        [
            $"--config.file={configuration}", $"--storage.tsdb.path={Path.Combine(folder.FullName, "data")}",
            string.Create(CultureInfo.InvariantCulture, $"--web.listen-address=127.0.0.1:{port}"), "--log.level=error",
        ];
        var process = Process.Start(new ProcessStartInfo("prometheus", arguments))!;
        var prometheus = new Prometheus(folder, process, port);
        try
        {
            await ClusterRig.UntilAsync(() => prometheus.IsReadyAsync(cancellationToken), "Prometheus", cancellationToken);
            return prometheus;
        }
        catch
        {
            await prometheus.DisposeAsync();
            throw;
        }
    }

    /// <returns>The series and their values; an expression that cannot be evaluated throws with Prometheus' words.</returns>
    public async Task<IReadOnlyList<Sample>> QueryAsync(string expression, CancellationToken cancellationToken)
    {
        var data = await GetAsync($"/api/v1/query?query={Uri.EscapeDataString(expression)}", cancellationToken);
        return data["resultType"]!.GetValue<string>() == "scalar"
            ? [new Sample(new Dictionary<string, string>(), Number(data["result"]!))]
            : [.. data["result"]!.AsArray().Select(s => new Sample(Labels(s!["metric"]!), Number(s["value"]!)))];
    }

    /// <summary>The labels of every series of the last minutes.</summary>
    public async Task<IReadOnlyList<IReadOnlyDictionary<string, string>>> SeriesAsync(CancellationToken cancellationToken)
    {
        var data = await GetAsync("/api/v1/series?match[]=%7B__name__!%3D%22%22%7D", cancellationToken);
        return [.. data.AsArray().Select(s => Labels(s!))];
    }

    public async Task<IReadOnlyList<Rule>> RulesAsync(CancellationToken cancellationToken)
    {
        var data = await GetAsync("/api/v1/rules", cancellationToken);
        return [.. from rules in data["groups"]!.AsArray() from rule in rules!["rules"]!.AsArray()
            select new Rule(
                Text(rule["name"]), Text(rule["query"]), Text(rule["health"]), Text(rule["lastError"]), Text(rule["state"]))];
    }

    /// <summary>Waits until every process that answers was scraped a whole round after this moment.</summary>
    public async Task UntilScrapedAsync(CancellationToken cancellationToken)
    {
        var now = (await QueryAsync("time()", cancellationToken))[0].Value;
        var later = string.Create(CultureInfo.InvariantCulture, $"min(timestamp(up == 1)) > {now + 2}");
        await ClusterRig.UntilAsync(
            async () => await QueryAsync(later, cancellationToken) is { Count: > 0 }, "a scrape", cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }
        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        Assert.False(_process.HasExited, "prometheus ended");
        try
        {
            using var response = await _http.GetAsync("/-/ready", cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    async Task<JsonNode> GetAsync(string path, CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(path, cancellationToken);
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken))!;
        return Text(answer["status"]) == "success" ? answer["data"]! : throw new InvalidOperationException(Text(answer["error"]));
    }

    static string Configuration(IEnumerable<Target> targets) => $$"""
        global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
        rule_files: ["{{Alerts}}/*.yaml"]
        scrape_configs:
        {{string.Join('\n', targets.GroupBy(target => target.Job).Select(Job))}}
        """;

    static string Job(IGrouping<string, Target> targets) => $"- job_name: {targets.Key}\n  static_configs:\n" +
        string.Join('\n', targets.Select(target =>
            $"  - {{ targets: [\"{target.Address}\"], labels: {{ namespace: {Namespace}, pod: {target.Pod} }} }}"));

    static string Text(JsonNode? value) => value?.GetValue<string>() ?? "";

    static double Number(JsonNode value) => value[1]!.GetValue<string>() switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        var text => double.Parse(text, CultureInfo.InvariantCulture),
    };

    static Dictionary<string, string> Labels(JsonNode labels) =>
        labels.AsObject().ToDictionary(l => l.Key, l => Text(l.Value));

    internal static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}

sealed record Sample(IReadOnlyDictionary<string, string> Labels, double Value);

/// <param name="State">Of an alert: inactive, pending or firing.</param>
sealed record Rule(string Name, string Query, string Health, string Error, string State);
