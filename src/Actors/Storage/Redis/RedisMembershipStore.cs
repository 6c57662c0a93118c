using System.Globalization;
using Hearth.Actors.Membership;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>The table of silos: one hash of rows with the version, one of beats, one of loads, all in one slot.</summary>
sealed class RedisMembershipStore(RedisLink link, RedisKeys keys) : IMembershipStore
{
    public async ValueTask<bool> JoinAsync(SiloEntry silo, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(silo.Id);
        if (silo.Address.Length == 0 || silo.Address.Any(char.IsWhiteSpace))
            throw new ArgumentException($"'{silo.Address}' is not an address: host:port is expected.", nameof(silo));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(silo.Description.Length, Limits.SiloDescriptionLengthMax);
        return (bool)await RunAsync(
            RedisScript.Join, cancellationToken, silo.Id, (int)silo.Status, silo.Address, silo.Description);
    }

    public async ValueTask<BeatResult> BeatAsync(string silo, ReadOnlyMemory<byte> load, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(load.Length, Limits.SiloLoadBytesMax);
        var reply = (RedisResult[])await RunAsync(RedisScript.Beat, cancellationToken, silo, RedisReplies.Value(load));
        return new BeatResult(Enum.Parse<BeatOutcome>((string)reply[0]), Incarnation(reply[1], reply[2]), (long)reply[3]);
    }

    public async ValueTask<bool> SetStatusAsync(string silo, SiloStatus status, CancellationToken cancellationToken) =>
        (bool)await RunAsync(RedisScript.Status, cancellationToken, silo, (int)status, "");

    public async ValueTask<bool> DeclareDeadAsync(string silo, long beat, CancellationToken cancellationToken) =>
        (bool)await RunAsync(RedisScript.Status, cancellationToken, silo, (int)SiloStatus.Dead, beat);

    public async ValueTask<MembershipSnapshot> ReadAsync(CancellationToken cancellationToken)
    {
        var reply = (RedisResult[])await RunAsync(RedisScript.ReadMembers, cancellationToken);
        var rows = Pairs(reply[2]);
        var loads = Pairs(reply[4]).ToDictionary(p => (string)p.Field, p => (byte[])p.Value);
        var version = rows.Where(p => p.Field == "").Select(p => (long)p.Value).FirstOrDefault();
        var silos = rows.Where(p => p.Field != "").Select(p => Row((string)p.Field, (string)p.Value))
            .OrderBy(r => r.Number).Select(r => r.Silo);
        var beats = Pairs(reply[3]).ToDictionary(
            p => (string)p.Field, p => new SiloBeat((long)p.Value, loads.GetValueOrDefault((string)p.Field, [])));
        return new MembershipSnapshot(new MembershipView(Incarnation(reply[0], reply[1]), version, [.. silos]), beats);
    }

    public async ValueTask PruneAsync(int keep, CancellationToken cancellationToken) =>
        await RunAsync(RedisScript.Prune, cancellationToken, keep);

    /// <summary>The process that answered, and the line of replication that its data is of.</summary>
    static string Incarnation(RedisResult process, RedisResult replication) => $"{process}:{replication}";

    /// <summary>A row is <c>status number address description</c>.</summary>
    static (long Number, SiloEntry Silo) Row(string id, string row)
    {
        var parts = row.Split(' ', 4);
        var status = (SiloStatus)int.Parse(parts[0], CultureInfo.InvariantCulture);
        return (long.Parse(parts[1], CultureInfo.InvariantCulture), new SiloEntry(id, parts[2], status, parts[3]));
    }

    static IEnumerable<(RedisValue Field, RedisValue Value)> Pairs(RedisResult hash) =>
        ((RedisValue[])hash).Chunk(2).Select(p => (p[0], p[1]));

    Task<RedisResult> RunAsync(RedisScript script, CancellationToken cancellationToken, params RedisValue[] arguments) =>
        link.RunAsync(script, keys.Members, arguments, cancellationToken);
}
