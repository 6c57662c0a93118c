using System.CommandLine;
using System.Net;
using Hearth.Silo;

namespace Hearth.Cli;

/// <summary>The flags of a silo in a cluster.</summary>
static class SiloFlags
{
    public static Option<string?> Name { get; } =
        Flag.Text("--name", "The silo's name, one of a kind in the cluster; the machine's and the process' number if not given");

    public static Option<string?> Listen { get; } =
        Flag.Text("--listen", "HOST:PORT for the other processes of the cluster; port 0 takes a free one", "127.0.0.1:0");

    public static Option<string?> Advertise { get; } =
        Flag.Text("--advertise", "HOST:PORT at which they reach it; where it listens if not given");

    public static Option<string?> Urls { get; } =
        Flag.Text("--urls", "Where probes and metrics are served, such as http://127.0.0.1:8081; nowhere if not given");

    public static Option<TimeSpan> DrainBudget { get; } = Flag.Duration("--drain-budget",
        "How long a silo that is told to stop may take to move its conversations", TimeSpan.FromSeconds(60));

    public static Option<bool> SpillCompress { get; } =
        Flag.Switch("--spill-compress", "Compress caches on their way to Redis: worth it where the network is slow");

    public static Option<bool> SpillInt8 { get; } =
        Flag.Switch("--spill-int8", "Keep caches in Redis as int8: about half the bytes, and what is restored is rounded");

    public static Option<string?> SpillKeyFile { get; } = Flag.Text("--spill-key-file",
        "File of base64 keys of 32 bytes, the newest first: caches lie encrypted in Redis");

    public static IReadOnlyList<Option> All { get; } = [Name, Listen, Advertise, Urls, DrainBudget, SpillCompress, SpillInt8,
        SpillKeyFile];

    public static ClusterSiloOptions Read(ParseResult arguments)
    {
        var name = arguments.GetValue(Name) ?? $"{Environment.MachineName.ToLowerInvariant()}-{Environment.ProcessId}";
        if (name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_'))
            throw new CliException("--name: 1 to 64 of A-Z a-z 0-9 . _ -", ExitCodes.Usage);
        var advertise = arguments.GetValue(Advertise);
        var listen = ReadEndPoint(arguments.GetValue(Listen)!);
        if (advertise is null && (listen.Address.Equals(IPAddress.Any) || listen.Address.Equals(IPAddress.IPv6Any)))
        {
            throw new CliException(
                $"--advertise: with --listen {listen} say at which HOST:PORT the others reach this silo.", ExitCodes.Usage);
        }
        return new ClusterSiloOptions
        {
            Name = name,
            Model = ModelFlags.Read(arguments),
            Redis = ClusterFlags.ReadRedis(arguments),
            Identity = ClusterFlags.ReadIdentity(arguments),
            Membership = ClusterFlags.ReadMembership(arguments),
            Listen = listen,
            Advertise = advertise,
            DrainBudget = arguments.GetValue(DrainBudget),
            CompressSpills = arguments.GetValue(SpillCompress),
            Int8Spills = arguments.GetValue(SpillInt8),
            SpillKeyFile = arguments.GetValue(SpillKeyFile),
        };
    }

    /// <summary>Whether other machines reach the silo's port.</summary>
    public static bool IsExposed(ParseResult arguments) =>
        IPEndPoint.TryParse(arguments.GetValue(Listen)!, out var listen) && !IPAddress.IsLoopback(listen.Address);

    static IPEndPoint ReadEndPoint(string text) =>
        IPEndPoint.TryParse(text, out var address) && text.Contains(':', StringComparison.Ordinal)
        ? address
        : throw new CliException(
            $"--listen: '{text}' is no address; write for example 127.0.0.1:0 or 0.0.0.0:7070.", ExitCodes.Usage);
}
