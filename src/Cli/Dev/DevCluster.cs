using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Hearth.Cli.Dev;

/// <summary>What <c>hearth dev</c> starts.</summary>
/// <param name="Redis">An address, or null for a server of its own.</param>
/// <param name="Port">Of the first gateway; the others have the next ones.</param>
/// <param name="GrpcPort">Of the first gateway's gRPC, in the same way.</param>
/// <param name="SiloFlags">Flags that every silo gets.</param>
sealed record DevPlan(int Silos, int Gateways, string? Redis, int Port, int GrpcPort, IReadOnlyList<string> SiloFlags);

/// <summary>A cluster on this machine: Redis, silos and gateways, each a process. One that dies is started again.</summary>
sealed class DevCluster(DevPlan plan, DevConsole console, TimeProvider time) : IAsyncDisposable
{
    const long SiloMemoryMax = 1L << 30;
    static readonly TimeSpan _patience = TimeSpan.FromMinutes(10), _pause = TimeSpan.FromSeconds(2);

    readonly string _folder = Directory.CreateTempSubdirectory("hearth-dev-").FullName;
    readonly Dictionary<string, DevChild> _children = [];
    readonly List<Task> _watches = [];
    readonly CancellationTokenSource _stopping = new();
    string _redis = plan.Redis ?? "";

    public IEnumerable<string> Urls => Enumerable.Range(plan.Port, plan.Gateways).Select(UrlOf);
    public IEnumerable<string> GrpcUrls => Enumerable.Range(plan.GrpcPort, plan.Gateways).Select(UrlOf);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (plan.Redis is null)
            await StartRedisAsync(cancellationToken);
        var ready = new List<Task>();
        for (var i = 0; i < plan.Silos; i++)
            ready.Add(Launch($"silo-{i}", SiloArguments(i)).Ready);
        for (var i = 0; i < plan.Gateways; i++)
        {
            ready.Add(Launch($"gateway-{i}",
            [
                "gateway", "--redis", _redis, "--urls", UrlOf(plan.Port + i), "--grpc-urls", UrlOf(plan.GrpcPort + i),
            ]).Ready);
        }
        await Task.WhenAll(ready).WaitAsync(_patience, time, cancellationToken);
    }

    /// <summary>The gateways finish what runs, then the silos write what they hold, then Redis ends.</summary>
    public async Task StopAsync(CancellationToken hurry)
    {
        await _stopping.CancelAsync();
        foreach (var kind in new[] { "gateway", "silo", "redis" })
        {
            DevChild[] children;
            lock (_children)
                children = [.. _children.Values.Where(c => c.Name.StartsWith(kind, StringComparison.Ordinal))];
            foreach (var child in children)
                child.Stop();
            try
            {
                await Task.WhenAll(children.Select(c => c.EndedAsync(hurry)));
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Task.WhenAll(_watches);
        foreach (var child in _children.Values)
            child.Dispose();
        Directory.Delete(_folder, recursive: true);
        _stopping.Dispose();
    }

    static string UrlOf(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");

    string[] SiloArguments(int number)
    {
        var memory = Math.Min(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (4 * plan.Silos), SiloMemoryMax);
        var threads = Math.Max(1, Environment.ProcessorCount / plan.Silos);
        return
        [
            "silo", "--redis", _redis, "--name", $"silo-{number}",
            .. Unless("--kv-memory", Text(memory)), .. Unless("--host-memory", Text(memory)),
            .. Unless("--threads", Text(threads)), .. plan.SiloFlags,
        ];

        string[] Unless(string flag, string value) => plan.SiloFlags.Contains(flag) ? [] : [flag, value];
        static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
    }

    async Task StartRedisAsync(CancellationToken cancellationToken)
    {
        var port = FreePort().ToString(CultureInfo.InvariantCulture);
        _redis = $"127.0.0.1:{port}";
        var redis = DevChild.Foreign("redis", "redis-server",
        [
            "--port", port, "--bind", "127.0.0.1", "--dir", _folder, "--appendonly", "yes", "--save", "",
            "--maxmemory-policy", "noeviction",
        ], (_, _) => { });
        _children["redis"] = redis;
        await redis.Ready.WaitAsync(_patience, time, cancellationToken);
    }

    DevChild Launch(string name, IReadOnlyList<string> arguments)
    {
        var child = DevChild.Hearth(name, arguments, console.Write);
        lock (_children)
            _children[name] = child;
        _watches.Add(WatchAsync(child, arguments));
        return child;
    }

    /// <summary>As a cluster's keeper does: whoever dies comes back, but not one that never lived.</summary>
    async Task WatchAsync(DevChild child, IReadOnlyList<string> arguments)
    {
        try
        {
            while (true)
            {
                await child.EndedAsync(_stopping.Token);
                if (!child.Ready.IsCompletedSuccessfully)
                    return;
                console.Say($"{child.Name} ended with code {child.ExitCode}; it is started again.");
                await Task.Delay(_pause, time, _stopping.Token);
                var next = DevChild.Hearth(child.Name, arguments, console.Write);
                lock (_children)
                    _children[child.Name] = next;
                child.Dispose();
                child = next;
            }
        }
        catch (OperationCanceledException)
        {
            // The whole cluster stops.
        }
    }

    static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
