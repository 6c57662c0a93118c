using System.Globalization;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>Reads what the scripts return.</summary>
static class RedisReplies
{
    public static RedisValue Value(ReadOnlyMemory<byte> bytes) => bytes.ToArray();

    public static GrainOwner? Owner(RedisResult silo, RedisResult epoch, RedisResult activation) =>
        activation.IsNull ? null : new GrainOwner((string)silo, (long)epoch, (string)activation);

    /// <param name="record">Status, epoch, time and hash, with a blank between; the hash may hold any characters.</param>
    public static StoredOperation Operation(string id, RedisResult record, RedisResult? request, RedisResult? result)
    {
        var parts = ((string)record).Split(' ', 4);
        var status = (OperationStatus)int.Parse(parts[0], CultureInfo.InvariantCulture);
        return new StoredOperation(id, status, parts[3], long.Parse(parts[1], CultureInfo.InvariantCulture),
            request is not null && status == OperationStatus.Pending ? (byte[]?)request : null,
            result is not null && status == OperationStatus.Committed ? (byte[]?)result : null);
    }

    public static GrainSummary Summary(GrainId grain, RedisResult[] r) => new(grain, (long)r[0], Owner(r[2], r[0], r[1]),
        (int)r[3], r[4].IsNull ? [] : (byte[])r[4], r[5].IsNull ? 0 : (long)r[5], r[6].IsNull ? 0 : (int)r[6]);

    public static GrainSnapshot Snapshot(GrainId grain, RedisResult[] r)
    {
        var pending = ((RedisResult[])r[9]).Select(o => (RedisResult[])o)
            .OrderBy(o => double.Parse((string)o[2], CultureInfo.InvariantCulture))
            .Select(o => Operation((string)o[0], o[1], null, null));
        return new GrainSnapshot(Summary(grain, r), (byte[][])r[7], r[8].IsNull ? [] : (byte[])r[8], [.. pending]);
    }
}
