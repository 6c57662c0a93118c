using System.Text;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>Names of keys. All keys of one grain have one hash tag, so that a script of it touches one slot of a Redis Cluster;
/// so have those of a scope's index, and those of the membership.</summary>
sealed class RedisKeys
{
    readonly string _cluster;

    /// <param name="cluster">1 to 64 of <c>A-Z a-z 0-9 . _ -</c>.</param>
    public RedisKeys(string cluster)
    {
        if (cluster.Length is 0 or > 64 || !cluster.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            throw new ArgumentException($"'{cluster}' is no name for a cluster: give 1 to 64 of A-Z a-z 0-9 . _ -",
                nameof(cluster));
        }
        _cluster = cluster;
        Members = [$"{cluster}:{{members}}:table", $"{cluster}:{{members}}:beats", $"{cluster}:{{members}}:loads"];
    }

    public RedisKey[] Members { get; }

    /// <summary>directory, operations, requests, results, order of operations, log, journal, manifest, tombstone.</summary>
    public RedisKey[] OfGrain(GrainId grain)
    {
        var tag = TagOf(grain);
        return [tag + "d", tag + "o", tag + "p", tag + "r", tag + "n", tag + "l", tag + "j", tag + "m", tag + "x"];
    }

    /// <summary>A blob on the spill server.</summary>
    public string BlobOf(GrainId grain, string name)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(name.Length, Limits.BlobNameLengthMax);
        return $"{TagOf(grain)}b:{name}";
    }

    /// <summary>Names of a scope's grains by the time of their last change.</summary>
    public RedisKey IndexOf(string scope) => $"{_cluster}:{{{Escape(scope)}}}:index";

    /// <summary>The name of the grain that an index key leads to.</summary>
    public RedisKey HistoryOf(string scope, string indexKey)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(indexKey.Length, Limits.IndexKeyLengthMax);
        return $"{_cluster}:{{{Escape(scope)}}}:h:{indexKey}";
    }

    string TagOf(GrainId grain)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(grain.Scope.Length, Limits.ScopeLengthMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(grain.Name.Length, Limits.NameLengthMax);
        return $"{_cluster}:{{{Escape(grain.Scope)}/{Escape(grain.Name)}}}:";
    }

    /// <summary>Braces would end the hash tag, and a slash the scope.</summary>
    static string Escape(string part)
    {
        if (part.Length > 0 && part.AsSpan().IndexOfAny("{}/%") < 0)
            return part;
        var escaped = new StringBuilder(part.Length == 0 ? "%" : "");
        foreach (var c in part)
            _ = c is '{' or '}' or '/' or '%' ? escaped.Append($"%{(int)c:x2}") : escaped.Append(c);
        return escaped.ToString();
    }
}
