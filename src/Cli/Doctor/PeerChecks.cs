using System.Text.Json;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Redis;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Cli.Doctor;

/// <summary>The silos that the table names: whether they live, and let us in.</summary>
sealed class PeerChecks(Findings findings, PortChecks ports, TimeProvider time)
{
    public async Task ExamineAsync(
        RedisOptions redis, PeerIdentity identity, MembershipOptions membership, CancellationToken cancellationToken)
    {
        try
        {
            await using var store = await RedisStore.ConnectAsync(redis, time, NullLogger.Instance, cancellationToken);
            var before = await store.Membership.ReadAsync(cancellationToken);
            var living = before.View.Silos.Where(s => s.Status != SiloStatus.Dead).ToList();
            if (living.Count == 0)
            {
                findings.Ok("silos", $"the cluster '{redis.Cluster}' has no silo yet");
                return;
            }
            // Who lives beats in this time.
            await Task.Delay(membership.Beat * 2, time, cancellationToken);
            var after = await store.Membership.ReadAsync(cancellationToken);
            foreach (var silo in living)
                await SiloAsync(silo, Beats(after, silo) > Beats(before, silo), identity, cancellationToken);
            Versions([.. living.Select(VersionOf).Where(v => v.Length > 0).Distinct().Order(StringComparer.Ordinal)]);
        }
        catch (StoreException e)
        {
            findings.Fail("silos", e.Message, "see the checks of Redis above");
        }
    }

    async Task SiloAsync(SiloEntry silo, bool beats, PeerIdentity identity, CancellationToken cancellationToken)
    {
        var check = $"silo {silo.Id}";
        if (!beats)
        {
            findings.Warn(check, $"its heart does not beat (at {silo.Address})",
                "if it has ended, the others declare it dead in a moment; if it is alive, it cannot reach Redis");
        }
        else if (await ports.GreetAsync(silo.Address, identity, cancellationToken) is { } refusal)
        {
            findings.Fail(check, $"it is alive, but does not let us in: {refusal}",
                "is its --advertise right from here, the port open (NetworkPolicy), and --cluster-key-file the same?");
        }
        else
        {
            findings.Ok(check, $"{silo.Status.ToString().ToLowerInvariant()} at {silo.Address}, version {VersionOf(silo)}");
        }
    }

    void Versions(string[] versions)
    {
        if (versions.Length > 1)
        {
            findings.Warn("versions", $"the silos are of versions {string.Join(", ", versions)}",
                "fine during an upgrade; else bring all to one");
        }
    }

    static long Beats(MembershipSnapshot seen, SiloEntry silo) =>
        seen.Beats.TryGetValue(silo.Id, out var beat) ? beat.Count : 0;

    static string VersionOf(SiloEntry silo)
    {
        try
        {
            return JsonSerializer.Deserialize(silo.Description, ContractsJson.Default.SiloDescription)?.Version ?? "";
        }
        catch (JsonException)
        {
            return "";
        }
    }
}
