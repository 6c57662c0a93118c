namespace Hearth.Actors.Storage.Redis;

/// <summary>What each refusal of Redis means and what to do about it.</summary>
static class RedisErrors
{
    /// <summary>First words of replies after which nothing was written: scripts check before they write, and these come before
    /// or with the first write.</summary>
    static readonly (string Word, string Advice)[] _refusals =
    [
        ("OOM", "Redis is full: give it more memory (maxmemory), or delete conversations."),
        ("READONLY", "this Redis is a read-only replica: name the primary."),
        ("LOADING", "Redis is loading its data after a start: it will answer when it is done."),
        ("BUSY", "Redis is busy with a script of somebody else: SCRIPT KILL ends it."),
        ("MISCONF", "Redis cannot write to its disk and refuses writes: its log says why; make room on the disk."),
        ("NOAUTH", "Redis wants a password: give it as password=… in the address."),
        ("WRONGPASS", "the password of Redis is wrong."),
        ("ERR invalid password", "the password of Redis is wrong."),
        ("ERR AUTH", "this Redis has no password: leave password=… out of the address."),
        ("NOPERM", "the Redis user lacks rights: scripts (EVALSHA, EVAL), INFO and all keys of the cluster are needed."),
        ("CLUSTERDOWN", "the Redis Cluster is down: a slot has no master. CLUSTER INFO says more."),
        ("MOVED", "the Redis Cluster moves a slot; ask again."),
        ("ASK", "the Redis Cluster moves a slot; ask again."),
        ("TRYAGAIN", "the Redis Cluster moves a slot; ask again."),
        ("CROSSSLOT", "the Redis Cluster has the keys in different slots."),
        ("MASTERDOWN", "this Redis is a replica without a primary."),
        ("NOREPLICAS", "Redis has fewer replicas than it must have to write (min-replicas-to-write)."),
        ("NOSCRIPT", "Redis does not keep scripts."),
    ];

    public static bool IsUnknownScript(string error) => StartsWith(error, "NOSCRIPT");

    /// <summary>After these the address may lead to another server: the old connection is of no use.</summary>
    public static bool IsOfAnotherServer(string error) => StartsWith(error, "READONLY") || StartsWith(error, "MASTERDOWN");

    public static StoreException Of(string error, string script, Exception cause) => AdviceFor(error) is { } advice
        ? new StoreException($"Redis refused '{script}': {advice} Nothing was written. ({error})", cause)
        : new StoreException($"Redis failed in '{script}': {error}", cause, outcomeUnknown: true);

    /// <returns>Null if the error is none of those after which nothing was written.</returns>
    public static string? AdviceFor(string error) => Array.Find(_refusals, r => StartsWith(error, r.Word)).Advice;

    static bool StartsWith(string error, string word) => error.StartsWith(word, StringComparison.Ordinal);
}
