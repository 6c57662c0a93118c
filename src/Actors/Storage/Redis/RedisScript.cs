using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Hearth.Actors.Storage.Redis;

/// <summary>A Lua script of this folder: sent once to each server, called by its hash afterwards.</summary>
sealed class RedisScript
{
    /// <param name="parts">Other scripts that go before it.</param>
    RedisScript(string name, params ReadOnlySpan<string> parts)
    {
        (Name, Text) = (name, string.Concat([.. parts.ToArray().Select(TextOf), TextOf(name)]));
        Hash = HashOf(Text);
    }

    public static RedisScript Acquire { get; } = new("acquire", "stay");
    public static RedisScript Release { get; } = new("release");
    public static RedisScript HandOver { get; } = new("handover");
    public static RedisScript Locate { get; } = new("locate");
    public static RedisScript Begin { get; } = new("begin", "stay");
    public static RedisScript Find { get; } = new("find");
    public static RedisScript Commit { get; } = new("commit", "stay");
    public static RedisScript End { get; } = new("end");
    public static RedisScript Describe { get; } = new("describe");
    public static RedisScript Read { get; } = new("read");
    public static RedisScript Delete { get; } = new("delete");
    public static RedisScript Publish { get; } = new("publish");
    public static RedisScript Manifest { get; } = new("manifest");
    public static RedisScript Clear { get; } = new("clear");
    public static RedisScript Key { get; } = new("key");
    public static RedisScript Index { get; } = new("index");
    public static RedisScript Unindex { get; } = new("unindex");
    public static RedisScript Newest { get; } = new("newest");
    public static RedisScript Lookup { get; } = new("lookup");
    public static RedisScript Join { get; } = new("member_join");
    public static RedisScript Beat { get; } = new("member_beat");
    public static RedisScript Status { get; } = new("member_status");
    public static RedisScript ReadMembers { get; } = new("member_read");
    public static RedisScript Prune { get; } = new("member_prune");

    public static IEnumerable<RedisScript> All =>
    [
        Acquire, Release, HandOver, Locate, Begin, Find, Commit, End, Describe, Read, Delete, Publish, Manifest, Clear, Key,
        Index, Unindex, Newest, Lookup, Join, Beat, Status, ReadMembers, Prune,
    ];

    public string Name { get; }
    public string Text { get; }
    public byte[] Hash { get; }

    static string TextOf(string name)
    {
        using var stream = typeof(RedisScript).Assembly.GetManifestResourceStream($"{name}.lua")
            ?? throw new ArgumentException($"There is no script '{name}'.", nameof(name));
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    [SuppressMessage("Security", "CA5350", Justification = "Redis names scripts by their SHA-1; nothing is guarded by it.")]
    static byte[] HashOf(string text) => SHA1.HashData(Encoding.UTF8.GetBytes(text));
}
