using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Hearth.Actors.Storage.Redis;

/// <summary>What a Redis is used for, and so what it must allow.</summary>
public enum RedisUse
{
    /// <summary>Membership, directory, transcripts: by scripts.</summary>
    Control,
    /// <summary>Cache chunks that may be lost.</summary>
    Spill,
}

/// <summary>Asks a Redis all that decides whether a cluster can live on it. Blocks; leaves nothing behind but a key that is gone
/// after a second.</summary>
public static partial class RedisInspection
{
    const int Pings = 20;
    const int MovesMax = 3;

    /// <summary>What INFO does not tell; a user may be denied to read it.</summary>
    static readonly string[] _settings = ["appendfsync", "timeout"];

    public static Version Oldest => RedisConnector.Oldest;

    /// <param name="address">As <see cref="RedisOptions"/> takes it.</param>
    /// <param name="cluster">First part of the keys.</param>
    public static RedisReport Inspect(string address, RedisUse use, string cluster, TimeSpan timeout, TimeProvider time)
    {
        try
        {
            var redis = RedisAddress.Parse(address);
            var report = new RedisReport { Address = string.Join(", ", redis.Options.EndPoints.Select(RedisAddress.Text)) };
            if (use == RedisUse.Control && redis.User is not (null or "default"))
            {
                return report with
                {
                    Fault = $"user={redis.User} cannot be used here",
                    Advice = "give the default user's password.",
                };
            }
            try
            {
                using var asked = new Asked(redis, timeout);
                return Ask(asked, report, use, $"{cluster}:{{doctor}}:probe", time);
            }
            catch (RespErrorException e)
            {
                return report with { Fault = e.Message, Advice = RedisErrors.AdviceFor(e.Message) ?? "see the log of Redis." };
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                return report with { Fault = e.Message, Advice = "is it running, and are address and TLS right?" };
            }
        }
        catch (StoreException e)
        {
            return new RedisReport { Address = "", Fault = e.Message, Advice = "give host:port[,password=…]." };
        }
    }

    static RedisReport Ask(Asked redis, RedisReport report, RedisUse use, string probe, TimeProvider time)
    {
        var latencies = new List<TimeSpan>();
        for (var i = 0; i < Pings; i++)
        {
            var sent = time.GetTimestamp();
            redis.Call("PING");
            latencies.Add(time.GetElapsedTime(sent));
        }
        latencies.Sort();
        var before = time.GetUtcNow();
        var clock = redis.TryCall(out _, "TIME") is object?[] { Length: 2 } now
            ? DateTimeOffset.FromUnixTimeSeconds(Number(now[0])).AddMicroseconds(Number(now[1]))
            : before;
        var facts = Facts(redis);
        if (redis.TryCall(out var refusal, "SET", probe, "1", "PX", "1000") is null && refusal is null)
            refusal = "SET was answered with nothing";
        return report with
        {
            Facts = facts,
            Latency = latencies[Pings / 2],
            LatencyMax = latencies[^1],
            ClockAhead = clock - (before + ((time.GetUtcNow() - before) / 2)),
            WriteFault = refusal,
            WriteAdvice = refusal is null ? null : RedisErrors.AdviceFor(refusal) ?? "see the log of Redis.",
            Denied = use == RedisUse.Control ? DeniedToScripts(redis, probe) : DeniedDirectly(redis, probe),
        };
    }

    static Dictionary<string, string> Facts(Asked redis)
    {
        var facts = new Dictionary<string, string>();
        Read(redis.TryCall(out _, "INFO"));
        if (facts.GetValueOrDefault("cluster_enabled") == "1")
            Read(redis.TryCall(out _, "CLUSTER", "INFO"));
        foreach (var setting in _settings)
        {
            if (redis.TryCall(out _, "CONFIG", "GET", setting) is object?[] { Length: 2 } pair)
                facts[setting] = Text(pair[1]);
        }
        return facts;

        void Read(object? reply)
        {
            foreach (var line in Text(reply).Split('\n'))
            {
                if (line.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon)
                    facts[line[..colon]] = line[(colon + 1)..].Trim();
            }
        }
    }

    /// <summary>Commands of our scripts that the user may not call on our keys; Redis 7 tells, older ones only whether scripts
    /// run at all.</summary>
    static List<string> DeniedToScripts(Asked redis, string probe)
    {
        const string Script = """
            local denied = {}
            if not redis.acl_check_cmd then return denied end
            for _, name in ipairs(ARGV) do
                local known, allowed
                if name == 'INFO' or name == 'TIME' then known, allowed = pcall(redis.acl_check_cmd, name)
                elseif name == 'DEL' or name == 'UNLINK' or name == 'EXISTS' then
                    known, allowed = pcall(redis.acl_check_cmd, name, KEYS[1])
                else known, allowed = pcall(redis.acl_check_cmd, name, KEYS[1], '1', '1') end
                if not (known and allowed) then denied[#denied + 1] = name end
            end
            return denied
            """;
        var denied = new List<string>();
        if (redis.TryCall(out var refusal, ["EVAL", Script, "1", probe, .. ScriptCommands()]) is object?[] names)
            denied.AddRange(names.Select(Text));
        else if (refusal is not null && IsDenial(refusal))
            denied.Add("EVAL");
        redis.TryCall(out refusal, "EVALSHA", new string('0', 40), "1", probe);
        if (refusal is not null && IsDenial(refusal))
            denied.Add("EVALSHA");
        denied.AddRange(Refused(redis, [["ROLE"], ["INFO"]]));
        return denied;
    }

    static List<string> DeniedDirectly(Asked redis, string probe) => Refused(redis,
    [
        ["SETEX", probe, "1", "1"], ["GETEX", probe, "EX", "1"], ["STRLEN", probe], ["GETRANGE", probe, "0", "1"],
        ["EXPIRE", probe, "1"], ["UNLINK", probe],
    ]);

    static List<string> Refused(Asked redis, string[][] commands)
    {
        var denied = new List<string>();
        foreach (var command in commands)
        {
            redis.TryCall(out var refusal, command);
            if (refusal is not null && IsDenial(refusal))
                denied.Add(command[0]);
        }
        return denied;
    }

    static bool IsDenial(string refusal) =>
        refusal.StartsWith("NOPERM", StringComparison.Ordinal)
        || refusal.StartsWith("ERR unknown command", StringComparison.Ordinal);

    static IEnumerable<string> ScriptCommands() => RedisScript.All
        .SelectMany(s => Called().Matches(s.Text)).Select(m => m.Groups[1].Value).Distinct().Order(StringComparer.Ordinal);

    static long Number(object? value) => long.Parse(Text(value), CultureInfo.InvariantCulture);

    static string Text(object? value) => value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : $"{value}";

    [GeneratedRegex(@"redis\.p?call\('([A-Z]+)'")]
    private static partial Regex Called();

    /// <summary>The server that is asked: the first that answers, and in a Redis Cluster the one that has the probe's
    /// slot.</summary>
    sealed class Asked : IDisposable
    {
        readonly RedisAddress _redis;
        readonly TimeSpan _timeout;
        RespConnection _connection;

        public Asked(RedisAddress redis, TimeSpan timeout)
        {
            (_redis, _timeout) = (redis, timeout);
            for (var i = 0; ; i++)
            {
                try
                {
                    _connection = To(redis.Options.EndPoints[i]);
                    return;
                }
                catch (Exception e) when (e is IOException or SocketException && i + 1 < redis.Options.EndPoints.Count)
                {
                    // The next one may answer.
                }
            }
        }

        public void Dispose() => _connection.Dispose();

        public object? Call(params string[] words)
        {
            for (var moves = 0; ; moves++)
            {
                try
                {
                    return _connection.Call(_timeout, RespConnection.Words(words));
                }
                catch (RespErrorException e) when (e.Is("MOVED ") && moves < MovesMax)
                {
                    _connection.Dispose();
                    _connection = To(e.MovedTo);
                }
            }
        }

        RespConnection To(EndPoint server) => RespConnection.Open(server, _redis, "hearth-doctor", _timeout);

        /// <returns>Null if Redis refused.</returns>
        public object? TryCall(out string? refusal, params string[] words)
        {
            try
            {
                refusal = null;
                return Call(words);
            }
            catch (RespErrorException e)
            {
                refusal = e.Message;
                return null;
            }
        }
    }
}

/// <summary>What <see cref="RedisInspection"/> found.</summary>
public sealed record RedisReport
{
    /// <summary>host:port, without secrets.</summary>
    public required string Address { get; init; }

    /// <summary>Why nothing else could be asked; null if all was.</summary>
    public string? Fault { get; init; }

    /// <summary>What to do about <see cref="Fault"/>.</summary>
    public string? Advice { get; init; }

    /// <summary>The fields of INFO, of CLUSTER INFO, and some settings if they may be read.</summary>
    public IReadOnlyDictionary<string, string> Facts { get; init; } = new Dictionary<string, string>();

    /// <summary>Commands that the cluster needs and that this user may not call, or not on the cluster's keys.</summary>
    public IReadOnlyList<string> Denied { get; init; } = [];

    /// <summary>Why a write was refused; null if it was not.</summary>
    public string? WriteFault { get; init; }

    public string? WriteAdvice { get; init; }

    /// <summary>Median of the answers to PING.</summary>
    public TimeSpan Latency { get; init; }

    public TimeSpan LatencyMax { get; init; }

    /// <summary>Its wall clock's time minus ours.</summary>
    public TimeSpan ClockAhead { get; init; }

    public string? Fact(string name) => Facts.GetValueOrDefault(name);

    public long NumberOf(string fact) =>
        long.TryParse(Fact(fact), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : 0;
}
