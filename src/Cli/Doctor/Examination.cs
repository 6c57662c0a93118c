using System.CommandLine;
using Hearth.Actors.Storage.Redis;
using Hearth.Actors.Transport;
using Hearth.Gateway;
using Hearth.Silo;

namespace Hearth.Cli.Doctor;

/// <summary>Chooses the checks that the flags call for, and runs them: what is near first.</summary>
/// <param name="role">serve, silo or gateway; null for all that the flags speak of.</param>
sealed class Examination(Findings findings, ParseResult arguments, string? role, Machine machine, TimeProvider time)
{
    readonly FileChecks _files = new(findings, time);
    readonly MachineChecks _machine = new(findings, machine);
    readonly PortChecks _ports = new(findings, time);

    bool IsCluster => role is "silo" or "gateway" || (role is null && arguments.GetValue(ClusterFlags.Redis) is not null);
    bool IsSilo => IsCluster && role != "gateway";
    bool ServesApi => role != "silo";

    public async Task RunAsync(bool checksums, CancellationToken cancellationToken)
    {
        _machine.Environs(arguments.RootCommandResult.Command, Environment.GetEnvironmentVariables());
        _machine.OpenFiles(ServesApi ? arguments.GetValue(HttpFlags.ConnectionsMax) : 0);
        if (role != "gateway")
        {
            _machine.Processors(arguments.GetValue(ModelFlags.Threads));
            _machine.Device(arguments.GetValue(ModelFlags.Device)!);
            // The device was looked at more closely than a start does.
            await new ModelChecks(findings, machine)
                .ExamineAsync(ModelFlags.ReadSettings(arguments), checksums, cancellationToken);
        }
        if (!IsCluster && arguments.GetValue(DoctorFlags.Data) is { } data)
            _files.DataFolder(data);
        if (ServesApi && arguments.GetValue(HttpFlags.ApiKeyFile) is { } keys)
            _files.ApiKeys(keys);
        if (UrlsOf() is { } urls)
            await _ports.UrlsAsync("urls", urls, cancellationToken);
        if (!IsCluster)
            return;
        var identity = _files.ClusterKey(
            arguments.GetValue(ClusterFlags.KeyFile), () => ClusterFlags.ReadIdentity(arguments), SiloFlags.IsExposed(arguments));
        if (IsSilo && Try(() => SiloFlags.Read(arguments)) is { } silo)
            await SiloAsync(silo, cancellationToken);
        if (Try(() => ClusterFlags.ReadRedis(arguments)) is { } redis)
            await ClusterAsync(redis, identity, cancellationToken);
    }

    /// <summary>Null for a silo without probes.</summary>
    GatewayOptions? UrlsOf()
    {
        var standard = new GatewayOptions { AllowAnonymous = true };
        var given = arguments.GetValue(DoctorFlags.Urls) is { } text ? Flag.List(text) : null;
        return ServesApi ? HttpFlags.Read(arguments) with { Urls = given ?? standard.Urls }
            : given is not null ? standard with { Urls = given } : null;
    }

    async Task SiloAsync(ClusterSiloOptions silo, CancellationToken cancellationToken)
    {
        if (silo.SpillKeyFile is { } keys)
            _files.SpillKeys(keys, silo.CheckSpillKeys);
        await _ports.PeersAsync(silo.Listen, silo.Advertise, silo.Identity, cancellationToken);
    }

    async Task ClusterAsync(RedisOptions options, PeerIdentity? identity, CancellationToken cancellationToken)
    {
        if (Try(() => ClusterFlags.ReadMembership(arguments)) is not { } membership)
            return;
        var redis = new RedisChecks(findings, options.Cluster, membership.Lease, time);
        if (redis.Examine(options.Control, options.Spill) && identity is not null)
            await new PeerChecks(findings, _ports, time).ExamineAsync(options, identity, membership, cancellationToken);
    }

    /// <summary>What a start would refuse with a sentence.</summary>
    T? Try<T>(Func<T> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (CliException e)
        {
            if (!findings.All.Any(f => f.Says == e.Message))
                findings.Fail("flags", e.Message, "see --help of the verb");
            return null;
        }
    }
}
