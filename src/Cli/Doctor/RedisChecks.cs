using System.Globalization;
using Hearth.Actors.Storage.Redis;

namespace Hearth.Cli.Doctor;

/// <summary>Whether a cluster can live on its Redis, and will keep what it promised.</summary>
sealed class RedisChecks(Findings findings, string cluster, TimeSpan lease, TimeProvider time)
{
    static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    // Where one of these fails, no process gets as far as the table of silos.
    static readonly string[] _vital = ["redis.version", "redis.role", "redis.mode", "redis.writes", "redis.rights"];

    // A step of a reply waits for no Redis, but its beginning and end do; and a beat that comes late ends a lease.
    static readonly TimeSpan _slow = TimeSpan.FromMilliseconds(5);
    static readonly TimeSpan _clockOff = TimeSpan.FromSeconds(5);
    const double MemoryHigh = 0.8, MemoryFull = 0.95, ClientsHigh = 0.8;

    /// <returns>Whether the control server can be used.</returns>
    public bool Examine(string control, string? spill)
    {
        var report = RedisInspection.Inspect(control, RedisUse.Control, cluster, _patience, time);
        if (!Reaches("redis", report))
            return false;
        Version("redis", report);
        Role("redis", report);
        Mode("redis", report);
        Persistence(report);
        Eviction(report);
        Memory("redis", report);
        Writes("redis", report);
        Rights("redis", report, "give the user +@read +@write +@scripting +info +role +client and the keys " + cluster + ":*");
        Clients("redis", report);
        Latency("redis", report);
        Clock("redis", report);
        if (spill is not null)
            Spill(spill, report);
        return !findings.All.Any(f => f.Verdict == Verdict.Fail && _vital.Contains(f.Check));
    }

    void Spill(string address, RedisReport control)
    {
        const string Name = "redis-spill";
        var report = RedisInspection.Inspect(address, RedisUse.Spill, cluster, _patience, time);
        if (!Reaches(Name, report))
            return;
        Version(Name, report);
        Role(Name, report);
        Mode(Name, report);
        if (report.Fact("run_id") is { } id && id == control.Fact("run_id"))
        {
            findings.Warn($"{Name}.server", "it is the server of --redis",
                "leave --redis-spill out, or give caches a server that may be full without harm");
        }
        SpillEviction(report);
        Memory(Name, report);
        Writes(Name, report);
        Rights(Name, report, $"give the user +setex +getex +expire +unlink and the keys {cluster}:*");
        Latency(Name, report);
    }

    bool Reaches(string name, RedisReport report)
    {
        if (report.Fault is null)
        {
            findings.Ok(name, $"{report.Address} answers");
            return true;
        }
        findings.Fail(name, $"{(report.Address.Length > 0 ? report.Address + ": " : "")}{report.Fault}", report.Advice!);
        return false;
    }

    void Version(string name, RedisReport report)
    {
        var text = report.Fact("redis_version");
        if (!System.Version.TryParse(text, out var version))
            findings.Warn($"{name}.version", "it does not tell its version", "let the user call INFO");
        else if (version < RedisInspection.Oldest)
            findings.Fail($"{name}.version", $"it is Redis {version}", $"{RedisInspection.Oldest} or newer is needed, 7 is best");
        else
            findings.Ok($"{name}.version", $"Redis {version}");
    }

    void Role(string name, RedisReport report)
    {
        if (report.Fact("role") == "slave")
        {
            findings.Fail($"{name}.role",
                $"it is a read-only replica of {report.Fact("master_host")}:{report.Fact("master_port")}", "name the primary");
        }
        else
        {
            findings.Ok($"{name}.role", $"primary with {report.NumberOf("connected_slaves")} replicas");
        }
    }

    void Mode(string name, RedisReport report)
    {
        if (report.Fact("cluster_enabled") != "1")
        {
            findings.Ok($"{name}.mode", "one server, no Redis Cluster");
        }
        else if (report.Fact("cluster_state") == "ok")
        {
            findings.Ok($"{name}.mode", $"Redis Cluster of {report.Fact("cluster_size")} primaries");
        }
        else
        {
            findings.Fail($"{name}.mode",
                $"cluster_state {report.Fact("cluster_state")}: {report.NumberOf("cluster_slots_ok")} of 16384 slots are served",
                "give every slot a primary: redis-cli --cluster fix");
        }
    }

    void Persistence(RedisReport report)
    {
        const string Name = "redis.persistence";
        if (report.Fact("aof_enabled") == "0")
        {
            findings.Fail(Name, "appendonly is off: a restart loses turns that were answered",
                "CONFIG SET appendonly yes, and the same in redis.conf");
        }
        else if (report.Fact("aof_last_write_status") is { } status and not "ok")
        {
            findings.Fail(Name, $"the last write of the append-only file failed ({status})", "make room on the disk of Redis");
        }
        else if (report.Fact("appendfsync") == "no")
        {
            findings.Warn(Name, "appendfsync is no: a machine that fails loses up to half a minute",
                "CONFIG SET appendfsync everysec, and the same in redis.conf");
        }
        else
        {
            findings.Ok(Name, $"append-only file, appendfsync {report.Fact("appendfsync") ?? "not told"}");
        }
        if (report.Fact("rdb_last_bgsave_status") is { } saved and not "ok")
            findings.Warn(Name, $"the last snapshot failed ({saved})", "see the log of Redis: disk, or memory for the fork");
    }

    void Eviction(RedisReport report)
    {
        var policy = report.Fact("maxmemory_policy");
        if (policy is null or "noeviction")
        {
            findings.Ok("redis.eviction", $"maxmemory-policy {policy ?? "not told"}");
        }
        else
        {
            findings.Fail("redis.eviction", $"maxmemory-policy is {policy}: conversations would be dropped when it is full",
                "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf");
        }
    }

    void SpillEviction(RedisReport report)
    {
        const string Name = "redis-spill.eviction";
        var policy = report.Fact("maxmemory_policy");
        if (policy == "noeviction")
        {
            findings.Warn(Name,
                "maxmemory-policy is noeviction: when it is full, new caches are not written and must be recomputed",
                "CONFIG SET maxmemory-policy allkeys-lru: the oldest caches make room");
        }
        else
        {
            findings.Ok(Name, $"maxmemory-policy {policy ?? "not told"}");
        }
    }

    void Memory(string name, RedisReport report)
    {
        var (most, used, machine) =
            (report.NumberOf("maxmemory"), report.NumberOf("used_memory"), report.NumberOf("total_system_memory"));
        var check = $"{name}.memory";
        if (most == 0)
        {
            findings.Warn(check, $"maxmemory is 0: it grows until the system ends it ({ByteSize.Format(used)} used)",
                "CONFIG SET maxmemory to what it may have, less a quarter for forks and buffers");
        }
        else if (machine > 0 && most > machine)
        {
            findings.Fail(check, $"maxmemory {ByteSize.Format(most)} is more than its machine has ({ByteSize.Format(machine)})",
                "lower maxmemory, or use a larger machine");
        }
        else if (used > MemoryFull * most)
        {
            findings.Fail(
                check, $"{Part(used, most)} used: it refuses writes when it is full", "raise maxmemory, or lower --spill-age");
        }
        else if (used > MemoryHigh * most)
        {
            findings.Warn(check, $"{Part(used, most)} used", "raise maxmemory, or lower --spill-age");
        }
        else
        {
            findings.Ok(check, $"{Part(used, most)} used");
        }
    }

    static string Part(long used, long most) => string.Create(CultureInfo.InvariantCulture,
        $"{ByteSize.Format(used)} of {ByteSize.Format(most)} ({(double)used / most:P0})");

    void Writes(string name, RedisReport report)
    {
        if (report.WriteFault is { } fault)
            findings.Fail($"{name}.writes", $"it refuses to write: {fault}", report.WriteAdvice!);
        else
            findings.Ok($"{name}.writes", "a key was written");
    }

    void Rights(string name, RedisReport report, string remedy)
    {
        if (report.Denied.Count > 0)
        {
            findings.Fail(
                $"{name}.rights", $"the user may not call {string.Join(", ", report.Denied)} on the cluster's keys", remedy);
        }
        else
        {
            findings.Ok($"{name}.rights", "the user may call all that is needed");
        }
    }

    void Clients(string name, RedisReport report)
    {
        var (clients, most) = (report.NumberOf("connected_clients"), report.NumberOf("maxclients"));
        if (most > 0 && clients > ClientsHigh * most)
            findings.Warn($"{name}.clients", $"{clients} of {most} connections are in use", "raise maxclients");
        else
            findings.Ok($"{name}.clients", $"{clients} of {most} connections are in use");
    }

    void Latency(string name, RedisReport report)
    {
        var check = $"{name}.latency";
        var says = string.Create(CultureInfo.InvariantCulture,
            $"answers in {report.Latency.TotalMilliseconds:0.00} ms, at worst in {report.LatencyMax.TotalMilliseconds:0.00} ms");
        if (report.Latency > lease / 10)
        {
            findings.Fail(check, $"{says}: too slow for a lease of {lease.TotalSeconds:0.##} s",
                "put Redis near the silos, or raise --lease everywhere");
        }
        else if (report.Latency > _slow)
        {
            findings.Warn(check, says, "every turn waits for a few answers: put Redis near the silos, and look at its load");
        }
        else
        {
            findings.Ok(check, says);
        }
    }

    /// <summary>No decision is made by a wall clock: it only stands in records and logs.</summary>
    void Clock(string name, RedisReport report)
    {
        var says = string.Create(CultureInfo.InvariantCulture,
            $"the wall clock of Redis is {Math.Abs(report.ClockAhead.TotalMilliseconds):0} ms " +
            $"{(report.ClockAhead >= TimeSpan.Zero ? "ahead" : "behind")}");
        if (report.ClockAhead.Duration() > _clockOff)
            findings.Warn($"{name}.clock", says, "nothing depends on it, but logs and dates will not fit: run NTP");
        else
            findings.Ok($"{name}.clock", says);
    }
}
