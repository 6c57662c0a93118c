using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hearth.Actors.Storage.Redis.Blobs;

/// <summary>Blobs on the spill server, and their manifests on the control server, beside the fence that guards them. A blob
/// that no
/// manifest names is gone after a minute; one that is named ages from its last use on.</summary>
sealed partial class RedisBlobStore(RedisGrainStore grains, BlobClient client, RedisKeys keys, TimeSpan age) : IBlobStore,
    IDisposable
{
    public async ValueTask PutAsync(GrainId grain, string name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(data.Length, Limits.BlobBytesMax);
        ArgumentOutOfRangeException.ThrowIfZero(data.Length);
        // The value is the last argument, so the age goes before it: SETEX.
        await client.WriteAsync(
            ["SETEX", Key(grain, name), Number((long)Limits.BlobUnpublishedAge.TotalSeconds)], data, cancellationToken);
    }

    public ValueTask<int> ReadAsync(
        GrainId grain, string name, Memory<byte> destination, CancellationToken cancellationToken) =>
        client.ReadAsync(Key(grain, name), age, destination, cancellationToken);

    public async ValueTask<PublishOutcome> PublishAsync(
        GrainId grain, Fence fence, BlobManifest manifest, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(manifest.Data.Length, Limits.ManifestBytesMax);
        var keep = await client.CallManyAsync(
            [.. manifest.Names.Select(n => new[] { "EXPIRE", Key(grain, n), Number((long)age.TotalSeconds) })],
                cancellationToken);
        if (keep.Contains(0))
            return PublishOutcome.Missing;
        var before = await ReadManifestAsync(grain, cancellationToken);
        var published = await grains.PublishManifestAsync(
            grain, fence, ToBytes(manifest), manifest.Bytes, manifest.Units, cancellationToken);
        if (!published)
        {
            // Somebody else owns the grain, or it is gone: what only this manifest names goes too.
            var theirs = await ReadManifestAsync(grain, cancellationToken);
            await UnlinkAsync(grain, manifest.Names.Except(theirs?.Names ?? []), cancellationToken);
            return PublishOutcome.Fenced;
        }
        await UnlinkAsync(grain, (before?.Names ?? []).Except(manifest.Names), cancellationToken);
        return PublishOutcome.Published;
    }

    public async ValueTask<BlobManifest?> ReadManifestAsync(GrainId grain, CancellationToken cancellationToken) =>
        await grains.ReadManifestAsync(grain, cancellationToken) is { } bytes ? FromBytes(bytes) : null;

    public async ValueTask ClearAsync(GrainId grain, CancellationToken cancellationToken)
    {
        var manifest = await ReadManifestAsync(grain, cancellationToken);
        await grains.ClearManifestAsync(grain, cancellationToken);
        await UnlinkAsync(grain, manifest?.Names ?? [], cancellationToken);
    }

    public void Dispose() => client.Dispose();

    async ValueTask UnlinkAsync(GrainId grain, IEnumerable<string> names, CancellationToken cancellationToken) =>
        await client.CallManyAsync([.. names.Select(n => new[] { "UNLINK", Key(grain, n) })], cancellationToken);

    string Key(GrainId grain, string name) => keys.BlobOf(grain, name);

    static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    static byte[] ToBytes(BlobManifest manifest) => JsonSerializer.SerializeToUtf8Bytes(manifest, BlobJson.Default.BlobManifest);

    static BlobManifest? FromBytes(byte[] bytes)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, BlobJson.Default.BlobManifest);
        }
        catch (JsonException)
        {
            return null; // As good as none: the cache is written again.
        }
    }

    [JsonSerializable(typeof(BlobManifest))]
    sealed partial class BlobJson : JsonSerializerContext;
}
