using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;

namespace Hearth.Chart.Tests.Kubelet;

/// <summary>The processes of a pod, probed and ended as the kubelet does it; every time is the rendered object's.</summary>
sealed class RunningPod : IAsyncDisposable
{
    static readonly HttpClient _http = new();

    readonly JsonNode _container;
    readonly HearthNode? _hearth;
    readonly Process? _other;
    readonly double _pace;

    RunningPod(PodSandbox sandbox, JsonNode container, HearthNode? hearth, Process? other, double pace) =>
        (Sandbox, _container, _hearth, _other, _pace) = (sandbox, container, hearth, other, pace);

    public PodSandbox Sandbox { get; }
    public string Name => Sandbox.Name;
    public string Output => _hearth?.Output ?? "";

    /// <param name="pace">Times the periods of probes.</param>
    public static async Task<RunningPod> StartAsync(PodSandbox sandbox, double pace, CancellationToken cancellationToken)
    {
        foreach (var first in Manifest.List(sandbox.Spec["initContainers"]))
        {
            await using var init = HearthNode.Start(
                $"{sandbox.Name}/{first["name"]}", sandbox.Arguments(first), sandbox.Environment(first));
            if (await init.EndAsync(TimeSpan.FromMinutes(1), cancellationToken) is not 0 and var code)
                throw new InvalidOperationException($"{init.Name} ended with {code}:\n{init.Output}");
        }
        var container = Manifest.List(sandbox.Spec["containers"]).Single();
        var (arguments, environment) = (sandbox.Arguments(container), sandbox.Environment(container));
        if (Manifest.Texts(container["command"]) is not [var program, .. var rest])
            return new RunningPod(sandbox, container, HearthNode.Start(sandbox.Name, arguments, environment), null, pace);
        var start = new ProcessStartInfo(program, [.. rest, .. arguments]) { RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        return new RunningPod(sandbox, container, null, process, pace);
    }

    /// <summary>Startup probe until it succeeds, then readiness, each at its period; throws when the kubelet would start it
    /// again.</summary>
    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        await UntilAsync("startupProbe", Number("startupProbe", "failureThreshold"), cancellationToken);
        await UntilAsync("readinessProbe", int.MaxValue, cancellationToken);
    }

    /// <summary>preStop, SIGTERM, and SIGKILL when the grace is over, all of it counted from the beginning.</summary>
    public async Task<Ended> EndAsync(CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var grace = TimeSpan.FromSeconds(Sandbox.Spec["terminationGracePeriodSeconds"]!.GetValue<int>());
        if (_container["lifecycle"]?["preStop"]?["sleep"]?["seconds"] is { } seconds)
            await Task.Delay(TimeSpan.FromSeconds(seconds.GetValue<int>()), TimeProvider.System, cancellationToken);
        var preStop = clock.Elapsed;
        _hearth!.Terminate();
        try
        {
            var code = await _hearth.EndAsync(grace - clock.Elapsed, cancellationToken);
            return new Ended(Name, code, preStop, clock.Elapsed, grace, Killed: false);
        }
        catch (TimeoutException)
        {
            _hearth.Kill();
            return new Ended(Name, 137, preStop, clock.Elapsed, grace, Killed: true);
        }
    }

    async Task UntilAsync(string probe, int attempts, CancellationToken cancellationToken)
    {
        for (var i = 0; ; i++)
        {
            if (await ProbeAsync(_container[probe]!, cancellationToken))
                return;
            if (i * _pace >= attempts || _hearth is { HasExited: true })
                throw new InvalidOperationException($"{Name}: {probe} failed {i + 1} times:\n{Output}");
            await Task.Delay(_pace * TimeSpan.FromSeconds(Number(probe, "periodSeconds")), TimeProvider.System,
                cancellationToken);
        }
    }

    async Task<bool> ProbeAsync(JsonNode probe, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(probe["timeoutSeconds"]!.GetValue<int>()));
        try
        {
            if (probe["httpGet"] is { } get)
            {
                var port = Sandbox.PortOf(_container, get["port"]!);
                var url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}{get["path"]}");
                using var response = await _http.GetAsync(url, patience.Token);
                return response.IsSuccessStatusCode;
            }
            var command = Manifest.Texts(probe["exec"]!["command"]).Select(word => word.Replace(
                "redis-cli", $"redis-cli -p {Sandbox.PortOf(6379)}", StringComparison.Ordinal)).ToArray();
            var start = new ProcessStartInfo(command[0], command[1..]);
            foreach (var (name, value) in Sandbox.Environment(_container))
                start.Environment[name] = value;
            using var process = Process.Start(start)!;
            await process.WaitForExitAsync(patience.Token);
            return process.ExitCode == 0;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    int Number(string probe, string name) => _container[probe]![name]!.GetValue<int>();

    public async ValueTask DisposeAsync()
    {
        if (_hearth is not null)
            await _hearth.DisposeAsync();
        if (_other is not null)
        {
            _other.Kill();
            await _other.WaitForExitAsync();
            _other.Dispose();
        }
        Sandbox.Dispose();
    }

    internal sealed record Ended(string Name, int Code, TimeSpan PreStop, TimeSpan Took, TimeSpan Grace, bool Killed);
}

/// <summary>How pods end in a rollout, and how they did.</summary>
sealed record Ending(TimeSpan EndpointLag)
{
    public List<RunningPod.Ended> Ends { get; } = [];

    public void Add(RunningPod.Ended end) => Ends.Add(end);
}
