using System.Collections.Concurrent;
using System.Text;
using Hearth.Cluster.Tests.Faults;

namespace Hearth.Chart.Tests.Kubelet;

/// <summary>A release of the chart, run on this machine: its Secrets and claims as an operator would have made them, its
/// services, and its pods, started and ended as Kubernetes does it.</summary>
sealed class World : IAsyncDisposable
{
    static readonly Dictionary<string, string> _operatorsSecret = new()
    {
        ["api-key"] = "hearth-0123456789abcdef",
        ["api-keys"] = "hearth-0123456789abcdef local chat,read,admin\n",
        ["cluster-key"] = new string('k', 48),
        ["spill-keys"] = Convert.ToBase64String(Encoding.ASCII.GetBytes(new string('s', 32))),
        ["redis-password"] = "Passw0rd",
    };

    readonly Rendered _rendered;
    readonly ConcurrentDictionary<string, RunningPod> _pods = new();
    readonly ConcurrentDictionary<string, bool> _endpoints = new();

    public World(Rendered rendered)
    {
        _rendered = rendered;
        Gateways = new Balancer(() => [.. _endpoints.Keys.Where(_pods.ContainsKey).Order(StringComparer.Ordinal)
            .Select(name => new Uri($"http://127.0.0.1:{_pods[name].Sandbox.PortOf(8080)}"))]);
        Services["//hearth:8080"] = $"//{Gateways.Url.Authority}";
    }

    /// <summary>Stands for the gateways' service: each new connection goes to the next of its endpoints.</summary>
    public Balancer Gateways { get; }

    public static string ApiKey => _operatorsSecret["api-key"];

    /// <summary>host:port of a service, and where it is here.</summary>
    public ConcurrentDictionary<string, string> Services { get; } = new();

    /// <summary>Fills the folder of a claim.</summary>
    public Action<string, string> FillClaim { get; init; } = (claim, _) => throw new InvalidDataException(claim);

    /// <summary>One pod of each kind, probed ten times as often: for who wants to see that it works, not how long it
    /// takes.</summary>
    public bool Hurried { get; init; }

    public Manifest Get(string id) => _rendered.Get(id);

    public IReadOnlyDictionary<string, string> Secret(string name) =>
        _rendered.Objects.FirstOrDefault(o => o.Id == $"Secret/{name}") is { } made
            ? Manifest.Map(made.At("data")).ToDictionary(p => p.Key, p =>
                Encoding.UTF8.GetString(Convert.FromBase64String(p.Value)))
            : _operatorsSecret;

    /// <summary>Everything that the release runs, ready.</summary>
    public async Task InstallAsync(CancellationToken cancellationToken)
    {
        foreach (var redis in _rendered.Objects.Where(o => o.Kind == "StatefulSet" && o.Name.Contains("redis",
            StringComparison.Ordinal)))
        {
            var pod = await StartAsync($"{redis.Name}-0", redis.Pod!, cancellationToken);
            await pod.ReadyAsync(cancellationToken);
            Services[$"{redis.Name}:6379"] = $"127.0.0.1:{pod.Sandbox.PortOf(6379)}";
        }
        var started = new List<RunningPod>();
        foreach (var set in new[] { Get("StatefulSet/hearth-silo"), Get("Deployment/hearth-gateway") })
        {
            for (var i = 0; i < (Hurried ? 1 : set.At("spec.replicas")!.GetValue<int>()); i++)
                started.Add(await StartAsync($"{set.Name}-{i}", set.Pod!, cancellationToken));
        }
        foreach (var pod in started)
            await pod.ReadyAsync(cancellationToken);
        foreach (var pod in started.Where(p => p.Name.Contains("gateway", StringComparison.Ordinal)))
            _endpoints[pod.Name] = true;
    }

    /// <summary>A StatefulSet's rolling update: from the highest number down, each pod anew and ready before the next one
    /// ends.</summary>
    public async Task RollStatefulSetAsync(Manifest set, Ending ending, CancellationToken cancellationToken)
    {
        for (var i = set.At("spec.replicas")!.GetValue<int>() - 1; i >= 0; i--)
        {
            await EndAsync($"{set.Name}-{i}", ending, cancellationToken);
            await (await StartAsync($"{set.Name}-{i}", set.Pod!, cancellationToken)).ReadyAsync(cancellationToken);
        }
    }

    /// <summary>A Deployment's, with maxSurge 1 and maxUnavailable 0: one more comes, and when it is ready one of the old ones
    /// goes.</summary>
    public async Task RollDeploymentAsync(Manifest deployment, Ending ending, CancellationToken cancellationToken)
    {
        var replicas = deployment.At("spec.replicas")!.GetValue<int>();
        for (var i = 0; i < replicas; i++)
        {
            var pod = await StartAsync($"{deployment.Name}-{replicas + i}", deployment.Pod!, cancellationToken);
            await pod.ReadyAsync(cancellationToken);
            _endpoints[pod.Name] = true;
            await EndAsync($"{deployment.Name}-{i}", ending, cancellationToken);
        }
    }

    /// <summary>The endpoint goes while the preStop hook runs: balancers hear of it some time later.</summary>
    async Task EndAsync(string name, Ending ending, CancellationToken cancellationToken)
    {
        var pod = _pods[name];
        var forget = ForgetAsync(name, ending.EndpointLag, cancellationToken);
        ending.Add(await pod.EndAsync(cancellationToken));
        await forget;
        _pods.TryRemove(name, out _);
        await pod.DisposeAsync();
    }

    async Task ForgetAsync(string name, TimeSpan lag, CancellationToken cancellationToken)
    {
        await Task.Delay(lag, TimeProvider.System, cancellationToken);
        _endpoints.TryRemove(name, out _);
    }

    async Task<RunningPod> StartAsync(string name, System.Text.Json.Nodes.JsonNode pod, CancellationToken cancellationToken)
    {
        var sandbox = new PodSandbox(this, name, pod);
        return _pods[name] = await RunningPod.StartAsync(sandbox, Hurried ? 0.1 : 1, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await Gateways.DisposeAsync();
        foreach (var pod in _pods.Values.OrderByDescending(p => p.Name.Contains("redis", StringComparison.Ordinal) ? 0 : 1))
            await pod.DisposeAsync();
    }
}
