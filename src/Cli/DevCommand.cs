using System.CommandLine;
using Hearth.Cli.Dev;

namespace Hearth.Cli;

/// <summary><c>hearth dev</c>: a whole cluster on this machine with one command.</summary>
static class DevCommand
{
    const int ProcessesMax = 16;

    static readonly Option<int> _silos = Flag.Number("--silos", "Silos", 2);
    static readonly Option<int> _gateways = Flag.Number("--gateways", "Gateways", 1);
    static readonly Option<int> _port = Flag.Number("--port", "The first gateway's port; the others have the next ones", 8080);

    static readonly Option<int> _grpcPort = Flag.Number("--grpc-port", "The same for gRPC", 9080);

    static readonly Option<string?> _redis =
        Flag.Text("--redis", "A Redis that runs already, HOST:PORT; a private one is started if not given");

    public static Command Create()
    {
        var command = new Command("dev",
            "Run a cluster on this machine: Redis, silos and gateways. Ctrl-C drains it.\n\n" +
            "Example: hearth dev --silos 3 --gateways 2");
        foreach (var flag in new Option[] { _silos, _gateways, _port, _grpcPort, _redis }.Concat(ModelFlags.All))
            command.Options.Add(flag);
        command.SetAction(RunAsync);
        return command;
    }

    static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var plan = Read(arguments);
        var console = new DevConsole();
        if (plan.Redis is null && !HasRedis())
            return await WithoutRedisAsync(plan, console, cancellationToken);
        await using var cluster = new DevCluster(plan, console, TimeProvider.System);
        try
        {
            await cluster.StartAsync(cancellationToken);
            console.Say($"Ready: {string.Join(" and ", cluster.Urls)}; gRPC at {string.Join(" and ", cluster.GrpcUrls)}");
            console.Say($"Try: hearth chat --url {cluster.Urls.Last()}, " +
                $"and in its midst hearth silo drain silo-0 --url {cluster.Urls.First()}");
            await Hosting.StopAskedAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Told to stop while it started.
        }
        console.Say("Stopping: running turns are finished and caches written; Ctrl-C again ends it now.");
        await cluster.StopAsync(StopSignals.Instance.Hurry);
        return ExitCodes.Success;
    }

    static DevPlan Read(ParseResult arguments) => new(
        Count(arguments, _silos), Count(arguments, _gateways), arguments.GetValue(_redis), arguments.GetValue(_port),
        arguments.GetValue(_grpcPort),
        [.. ModelFlags.All.SelectMany(flag => arguments.GetResult(flag) is { Implicit: false } given
            ? new[] { flag.Name, given.Tokens[0].Value }
            : [])]);

    static int Count(ParseResult arguments, Option<int> flag) =>
        arguments.GetValue(flag) is >= 1 and <= ProcessesMax and var count
        ? count
        : throw new CliException($"{flag.Name}: choose 1 to {ProcessesMax}.", ExitCodes.Usage);

    static bool HasRedis() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, "redis-server")));

    static async Task<int> WithoutRedisAsync(DevPlan plan, DevConsole console, CancellationToken cancellationToken)
    {
        console.Say("redis-server is not installed, so this is one process that keeps everything itself. " +
            "For a cluster: apt-get install redis-server, or name one with --redis.");
        using var child = DevChild.Hearth(
            "serve", [
                "serve", "--urls", $"http://127.0.0.1:{plan.Port}", "--grpc-urls", $"http://127.0.0.1:{plan.GrpcPort}",
                .. plan.SiloFlags,
            ], console.Write);
        await Task.WhenAny(child.EndedAsync(CancellationToken.None), Hosting.StopAskedAsync(cancellationToken));
        child.Stop();
        await child.EndedAsync(StopSignals.Instance.Hurry);
        return child.ExitCode;
    }
}
