using System.Collections.Concurrent;
using System.Collections.Immutable;
using Hearth.Tests.Shared;

namespace Hearth.Cluster.Tests.Rig;

public sealed record RigOptions
{
    public const string Loopback = "127.0.0.1";

    public int Silos { get; init; } = 2;
    public int Gateways { get; init; } = 1;

    /// <summary>Puts a fault proxy between everybody and Redis.</summary>
    public bool ProxyRedis { get; init; }

    /// <summary>Where Redis listens.</summary>
    public string RedisHost { get; init; } = Loopback;

    /// <summary>Where every process writes its history; null for none.</summary>
    public string? History { get; init; }
    public int Seed { get; init; } = 1;

    public IReadOnlyList<string> SiloFlags { get; init; } = ["--threads", "1", "--kv-memory", "48m", "--host-memory", "16m"];
}

/// <summary>A whole cluster of real processes: Redis, silos and gateways with the demo model.</summary>
public sealed class ClusterRig : IAsyncDisposable
{
    readonly RigOptions _options;
    readonly ConcurrentDictionary<HearthNode, GatewayClient?> _clients = new();
    ImmutableList<HearthNode> _nodes = [];
    int _silos, _gateways;

    ClusterRig(RigOptions options, RedisServer redis)
    {
        (_options, Redis) = (options, redis);
        if (options.ProxyRedis)
            RedisProxy = new FaultProxy(new(System.Net.IPAddress.Loopback, redis.Port), options.Seed);
    }

    public RedisServer Redis { get; }
    public FaultProxy? RedisProxy { get; }
    public string RedisAddress => RedisProxy?.Address ?? $"{_options.RedisHost}:{Redis.Port}";

    /// <summary>Those that serve.</summary>
    public IReadOnlyList<HearthNode> Silos => [.. Serving.Where(n => !_clients.ContainsKey(n))];
    public IReadOnlyList<HearthNode> Gateways => [.. Serving.Where(n => _clients.TryGetValue(n, out var client) && client is not null)];
    IEnumerable<HearthNode> Serving => _nodes.Where(n => n.Ready.IsCompletedSuccessfully && !n.HasExited);

    public static async Task<ClusterRig> StartAsync(RigOptions options, CancellationToken cancellationToken)
    {
        var rig = new ClusterRig(options, options.RedisHost == RigOptions.Loopback
            ? RedisServer.Start()
            : RedisServer.Start("--bind", "0.0.0.0", "--protected-mode", "no"));
        try
        {
            await rig.FillAsync(options.Silos, options.Gateways, cancellationToken);
            return rig;
        }
        catch
        {
            await rig.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts what is missing of so many silos and gateways, and waits until every gateway sees them serve.</summary>
    public async Task FillAsync(int silos, int gateways, CancellationToken cancellationToken)
    {
        var started = new List<HearthNode>();
        for (var i = Silos.Count; i < silos; i++)
            started.Add(LaunchSilo());
        for (var i = Gateways.Count; i < gateways; i++)
            started.Add(LaunchGateway());
        foreach (var node in started)
            await ReadyAsync(node, cancellationToken);
        await UntilSilosAsync(rows => rows.Count(r => r.Status == "active") == Silos.Count && rows.Count == Silos.Count, cancellationToken);
    }

    public Task<HearthNode> AddSiloAsync(CancellationToken cancellationToken, string? name = null, params string[] flags) =>
        ReadyAsync(LaunchSilo(name, flags), cancellationToken);

    public Task<HearthNode> AddGatewayAsync(CancellationToken cancellationToken) => ReadyAsync(LaunchGateway(), cancellationToken);

    public HearthNode LaunchSilo(string? name = null, IEnumerable<string>? flags = null,
        IReadOnlyDictionary<string, string>? environment = null, IEnumerable<string>? enter = null)
    {
        name ??= $"silo-{Interlocked.Increment(ref _silos)}";
        return Keep(HearthNode.Start(
            name, ["silo", "--redis", RedisAddress, "--name", name, .. _options.SiloFlags, .. flags ?? []], With(environment), enter));
    }

    public HearthNode LaunchGateway(string url = "http://127.0.0.1:0", IEnumerable<string>? flags = null, IEnumerable<string>? enter = null)
    {
        var name = $"gateway-{Interlocked.Increment(ref _gateways)}";
        var node = HearthNode.Start(
            name, ["gateway", "--redis", RedisAddress, "--urls", url, .. flags ?? []], With(null), enter);
        _clients[node] = null;
        Keep(node);
        return node;
    }

    public async Task<HearthNode> ReadyAsync(HearthNode node, CancellationToken cancellationToken)
    {
        await node.ReadyAsync(cancellationToken);
        if (_clients.TryGetValue(node, out var client) && client is null)
            _clients[node] = new GatewayClient(HearthNode.AddressIn(await node.Ready, " at"));
        return node;
    }

    public GatewayClient Client(HearthNode gateway) => _clients[gateway]!;

    /// <summary>A client of the n-th living gateway.</summary>
    public GatewayClient Client(int gateway = 0) => _clients[Gateways[gateway]]!;

    /// <summary>The living silo that a conversation's description or a header names.</summary>
    public HearthNode SiloOf(string id) => Silos.Last(s => s.Name == id.Split('/')[0]);

    public async Task<HearthNode> OwnerAsync(string conversation, CancellationToken cancellationToken, int gateway = 0) =>
        SiloOf((await Client(gateway).DescribeAsync(conversation, cancellationToken))!["silo"]!.GetValue<string>());

    public async Task<IReadOnlyList<SiloRow>> SilosSeenAsync(CancellationToken cancellationToken, int gateway = 0)
    {
        var cluster = await Client(gateway).GetAsync("admin/cluster", cancellationToken);
        return [.. cluster["silos"]!.AsArray().Select(s => new SiloRow(
            s!["id"]!.GetValue<string>(), s["pid"]!.GetValue<int>(), s["status"]!.GetValue<string>(), s["address"]!.GetValue<string>()))];
    }

    /// <summary>Waits until every living gateway sees such silos.</summary>
    public async Task UntilSilosAsync(Func<IReadOnlyList<SiloRow>, bool> condition, CancellationToken cancellationToken)
    {
        for (var i = 0; i < Gateways.Count; i++)
        {
            var gateway = i;
            await UntilAsync(async () => condition(await SilosSeenAsync(cancellationToken, gateway)), "silos as expected", cancellationToken);
        }
    }

    /// <summary>Asks again and again until it is so; what was waited for is in the exception if it never is.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what, CancellationToken cancellationToken, int seconds = 30)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(seconds));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(30));
        try
        {
            while (!await condition())
                await timer.WaitForNextTickAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"Waited {seconds} s in vain for: {what}.");
        }
    }

    /// <summary>Everything that every process wrote, for the report of a failed test.</summary>
    public string Logs() => string.Join('\n', _nodes.Select(n => $"=== {n.Name} (pid {n.Pid}{(n.HasExited ? $", ended {n.ExitCode}" : "")})\n{n.Output}"));

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            node.Resume();
            await node.DisposeAsync();
        }
        foreach (var client in _clients.Values)
            client?.Dispose();
        if (RedisProxy is not null)
            await RedisProxy.DisposeAsync();
        Redis.Dispose();
    }

    IReadOnlyDictionary<string, string>? With(IReadOnlyDictionary<string, string>? environment) => _options.History is not { } history
        ? environment
        : new Dictionary<string, string>(environment ?? new Dictionary<string, string>()) { ["HEARTH_HISTORY"] = history };

    HearthNode Keep(HearthNode node)
    {
        ImmutableInterlocked.Update(ref _nodes, nodes => nodes.Add(node));
        return node;
    }
}

public sealed record SiloRow(string Id, int Pid, string Status, string Address)
{
    public string Name => Id.Split('/')[0];
}
