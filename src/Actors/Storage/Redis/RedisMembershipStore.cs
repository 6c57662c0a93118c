using System.Globalization;
using System.Text;
using Hearth.Actors.Membership;

namespace Hearth.Actors.Storage.Redis;

/// <summary>The table of silos: one hash of rows with the version, one of beats, one of loads, all in one slot.</summary>
sealed class RedisMembershipStore(RedisThread redis, RedisKeys keys) : IMembershipStore
{
    public async ValueTask<bool> JoinAsync(SiloEntry silo, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(silo.Id);
        if (silo.Address.Length == 0 || silo.Address.Any(char.IsWhiteSpace))
            throw new ArgumentException($"'{silo.Address}' is not an address: host:port is expected.", nameof(silo));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(silo.Description.Length, Limits.SiloDescriptionLengthMax);
        return await ChangeAsync(
            RedisScript.Join, cancellationToken, silo.Id, Number((long)silo.Status), silo.Address, silo.Description);
    }

    public async ValueTask<BeatResult> BeatAsync(string silo, ReadOnlyMemory<byte> load, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(load.Length, Limits.SiloLoadBytesMax);
        var reply = (object?[])(await RunAsync(
            RedisScript.Beat, cancellationToken, Encoding.UTF8.GetBytes(silo), load.ToArray()))!;
        return new BeatResult(Enum.Parse<BeatOutcome>(Text(reply[0])), Incarnation(reply[1], reply[2]), Number(Text(reply[3])));
    }

    public async ValueTask<bool> SetStatusAsync(string silo, SiloStatus status, CancellationToken cancellationToken) =>
        await ChangeAsync(RedisScript.Status, cancellationToken, silo, Number((long)status), "");

    public async ValueTask<bool> DeclareDeadAsync(string silo, long beat, CancellationToken cancellationToken) =>
        await ChangeAsync(RedisScript.Status, cancellationToken, silo, Number((long)SiloStatus.Dead), Number(beat));

    public async ValueTask<MembershipSnapshot> ReadAsync(CancellationToken cancellationToken)
    {
        var reply = (object?[])(await RunAsync(RedisScript.ReadMembers, cancellationToken))!;
        var rows = Pairs(reply[2]).ToDictionary(p => p.Field, p => Text(p.Value));
        var loads = Pairs(reply[4]).ToDictionary(p => p.Field, p => p.Value);
        var version = rows.Remove("", out var number) ? Number(number) : 0;
        var silos = rows.Select(r => Row(r.Key, r.Value)).OrderBy(r => r.Number).Select(r => r.Silo);
        var beats = Pairs(reply[3]).ToDictionary(
            p => p.Field, p => new SiloBeat(Number(Text(p.Value)), loads.GetValueOrDefault(p.Field, [])));
        return new MembershipSnapshot(new MembershipView(Incarnation(reply[0], reply[1]), version, [.. silos]), beats);
    }

    public async ValueTask PruneAsync(int keep, CancellationToken cancellationToken) =>
        await ChangeAsync(RedisScript.Prune, cancellationToken, Number(keep));

    /// <summary>The process that answered, and the line of replication that its data is of.</summary>
    static string Incarnation(object? process, object? replication) => $"{Text(process)}:{Text(replication)}";

    /// <summary>A row is <c>status number address description</c>.</summary>
    static (long Number, SiloEntry Silo) Row(string id, string row)
    {
        var parts = row.Split(' ', 4);
        return (Number(parts[1]), new SiloEntry(id, parts[2], (SiloStatus)Number(parts[0]), parts[3]));
    }

    static IEnumerable<(string Field, byte[] Value)> Pairs(object? hash) =>
        ((object?[])hash!).Chunk(2).Select(p => (Text(p[0]), (byte[])p[1]!));

    static string Text(object? value) => Encoding.UTF8.GetString((byte[])value!);

    static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    static long Number(string number) => long.Parse(number, CultureInfo.InvariantCulture);

    async Task<bool> ChangeAsync(RedisScript script, CancellationToken cancellationToken, params string[] arguments) =>
        await RunAsync(script, cancellationToken, Array.ConvertAll(arguments, Encoding.UTF8.GetBytes)) is 1L;

    Task<object?> RunAsync(RedisScript script, CancellationToken cancellationToken, params byte[][] arguments) =>
        redis.RunAsync(script, keys.Members, arguments, cancellationToken);
}
