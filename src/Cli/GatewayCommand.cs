using System.CommandLine;
using System.Globalization;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Redis;
using Hearth.Actors.Transport;
using Hearth.Gateway;
using Hearth.Gateway.Cluster;
using Microsoft.Extensions.Logging;

namespace Hearth.Cli;

/// <summary><c>hearth gateway</c>: the API in front of a cluster's silos. Keeps nothing.</summary>
static class GatewayCommand
{
    static readonly Option<TimeSpan> _leaveDelay = Flag.Duration("--leave-delay",
        "How long a gateway that is told to stop still takes turns, while load balancers learn of it", TimeSpan.FromSeconds(1));

    static readonly Option<TimeSpan> _drainBudget = Flag.Duration("--drain-budget",
        "How long running turns may take to end after that; what still runs then is cut, and may be taken up elsewhere",
        TimeSpan.FromSeconds(30));

    public static Command Create() => Hosting.Command("gateway",
        "Serve the API of a cluster.\n\nExample: hearth gateway --redis 127.0.0.1:6379 --urls http://127.0.0.1:8080",
        RunAsync, ClusterFlags.All, HttpFlags.All, [_leaveDelay, _drainBudget]);

    static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var start = time.GetTimestamp();
        using var loggers = LoggerFactory.Create(builder => Hosting.Logging(builder, arguments));
        var logger = loggers.CreateLogger("Hearth.Gateway");
        await using var store = await ConnectAsync(arguments, time, logger, cancellationToken);
        await using var watcher = new MembershipWatcher(store.Membership, ClusterFlags.ReadMembership(arguments), time, logger);
        await watcher.StartAsync(cancellationToken);
        await using var network = new TcpPeerNetwork(ClusterFlags.ReadIdentity(arguments), time);
        await using var cluster = new RoutedCluster(
            store.Grains, watcher, network, new Random(Guid.NewGuid().GetHashCode()), time, logger);
        // Ends first, to send the last of what the others have.
        using var telemetry = Telemetry.Start(arguments, "gateway");
        var options = HttpFlags.Read(arguments) with { DrainTimeout = arguments.GetValue(_drainBudget) };
        await using var gateway = Hosting.Gateway(arguments, options, cluster);
        await Hosting.StartAsync(gateway, arguments.GetValue(HttpFlags.Urls)!, cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Ready in {time.GetElapsedTime(start).TotalSeconds:0.0} s at {string.Join(" and ", gateway.Urls)}: " +
            $"cluster {arguments.GetValue(ClusterFlags.Cluster)}, " +
            $"{watcher.View.Silos.Count(s => s.Status == SiloStatus.Active)} silos. " +
            $"Try: hearth chat --url {gateway.Urls.First()}"));
        await Hosting.StopAskedAsync(cancellationToken);
        await Console.Error.WriteLineAsync("Stopping: running turns are finished first.");
        GatewayHost.Leave(gateway);
        await Hosting.PauseAsync(arguments.GetValue(_leaveDelay), StopSignals.Instance.Hurry);
        await gateway.StopAsync(StopSignals.Instance.Hurry);
        return ExitCodes.Success;
    }

    static async Task<RedisStore> ConnectAsync(
        ParseResult arguments, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        try
        {
            return await RedisStore.ConnectAsync(ClusterFlags.ReadRedis(arguments), time, logger, cancellationToken);
        }
        catch (StoreException error)
        {
            throw new CliException(error.Message, ExitCodes.Temporary);
        }
    }
}
