using System.CommandLine;
using System.Text;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage.Redis;
using Hearth.Actors.Transport;

namespace Hearth.Cli;

/// <summary>The flags of every process of a cluster.</summary>
static class ClusterFlags
{
    const int KeyBytesMax = 4096;

    public static Option<string?> Redis { get; } =
        Flag.Text("--redis", "The cluster's Redis: HOST:PORT[,HOST:PORT…][,password=…][,ssl=true[,sslCa=FILE]]");

    public static Option<string?> RedisSpill { get; } =
        Flag.Text("--redis-spill", "Another Redis for caches; the cluster's if not given");

    public static Option<string?> Cluster { get; } =
        Flag.Text("--cluster", "The cluster's name: others may share the Redis without meeting it", "hearth");

    public static Option<TimeSpan> SpillAge { get; } =
        Flag.Duration("--spill-age", "How long an unused cache stays in Redis", TimeSpan.FromDays(7));

    public static Option<TimeSpan> Lease { get; } = Flag.Duration("--lease",
        "How long a silo that is not heard of keeps its conversations; the same everywhere", TimeSpan.FromSeconds(1.5));

    public static Option<TimeSpan> Retention { get; } = Flag.Duration("--retention",
        "How long a conversation is kept after its last turn, such as 30d; 0 for ever", TimeSpan.Zero);

    public static Option<string?> KeyFile { get; } =
        Flag.Text("--cluster-key-file",
            "File with the secret that the cluster's processes share; of several, one a line, all are accepted, the first used");

    public static Option<string?> PeerCert { get; } = Flag.Text("--peer-cert",
        "PEM file of this process' certificate: the processes of the cluster then speak TLS with each other, all or none");

    public static Option<string?> PeerKey { get; } = Flag.Text("--peer-key", "PEM file of that certificate's key");

    public static Option<string?> PeerCa { get; } =
        Flag.Text("--peer-ca", "PEM file of the authority that issues the cluster's certificates, and no others");

    public static IReadOnlyList<Option> All { get; } = [Redis, RedisSpill, Cluster, SpillAge, Lease, Retention, KeyFile,
        PeerCert, PeerKey, PeerCa];

    public static RedisOptions ReadRedis(ParseResult arguments) => new()
    {
        Control = arguments.GetValue(Redis) is { Length: > 0 } redis
            ? redis
            : throw new CliException("--redis: name the cluster's Redis, such as 127.0.0.1:6379.", ExitCodes.Usage),
        Spill = arguments.GetValue(RedisSpill),
        Cluster = arguments.GetValue(Cluster)!,
        SpillAge = arguments.GetValue(SpillAge),
        Retention = ReadRetention(arguments),
    };

    /// <returns>Null for ever.</returns>
    public static TimeSpan? ReadRetention(ParseResult arguments)
    {
        var retention = arguments.GetValue(Retention);
        if (retention > TimeSpan.Zero && retention < Actors.Limits.RetentionMin)
            throw new CliException("--retention: choose 1h or longer, or 0 to keep conversations for ever.", ExitCodes.Usage);
        return retention > TimeSpan.Zero ? retention : null;
    }

    /// <summary>All times go with the lease, as their defaults do.</summary>
    public static MembershipOptions ReadMembership(ParseResult arguments)
    {
        var lease = arguments.GetValue(Lease);
        return lease >= TimeSpan.FromSeconds(0.5) && lease <= TimeSpan.FromMinutes(5)
            ? new MembershipOptions { Lease = lease, Beat = lease / 6, Margin = lease / 5, Watch = lease / 6 }
            : throw new CliException("--lease: choose 0.5s to 5m.", ExitCodes.Usage);
    }

    /// <summary>Who the process is to its peers; without a key they trust whoever reaches them.</summary>
    public static PeerIdentity ReadIdentity(ParseResult arguments)
    {
        var (cluster, tls) = (arguments.GetValue(Cluster)!, ReadTls(arguments));
        if (arguments.GetValue(KeyFile) is not { Length: > 0 } path)
            return new PeerIdentity(cluster) { Tls = tls };
        try
        {
            using var file = File.OpenRead(path);
            using var reader = new StreamReader(file);
            var lines = file.Length <= KeyBytesMax
                ? reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                : [];
            ReadOnlyMemory<byte>[] secrets = [.. lines.Select(Encoding.UTF8.GetBytes)];
            var identity = new PeerIdentity(cluster, secrets) { Tls = tls };
            identity.Check();
            return lines.Length > 0
                ? identity
                : throw new CliException(
                    $"--cluster-key-file: {path} must hold secrets of together at most {KeyBytesMax} bytes.", ExitCodes.Usage);
        }
        catch (ArgumentException error)
        {
            throw new CliException($"--cluster-key-file: {path}: {error.Message}", ExitCodes.Usage);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"--cluster-key-file: {error.Message}", ExitCodes.Usage);
        }
    }

    static PeerTls? ReadTls(ParseResult arguments)
    {
        string?[] files = [arguments.GetValue(PeerCert), arguments.GetValue(PeerKey), arguments.GetValue(PeerCa)];
        if (files.All(string.IsNullOrEmpty))
            return null;
        if (files.Any(string.IsNullOrEmpty))
            throw new CliException("--peer-cert, --peer-key and --peer-ca go together.", ExitCodes.Usage);
        try
        {
            return PeerTls.Load(files[0]!, files[1]!, files[2]!);
        }
        catch (ArgumentException error)
        {
            throw new CliException($"--peer-cert, --peer-key, --peer-ca: {error.Message}", ExitCodes.Usage);
        }
    }
}
