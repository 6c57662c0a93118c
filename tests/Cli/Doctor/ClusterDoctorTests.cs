using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Hearth.Actors.Transport;
using Hearth.Cli.Doctor;
using Hearth.Tests.Shared;
using Xunit;

namespace Hearth.Cli.Tests.Doctor;

/// <summary>Clusters that are broken, each on a real Redis that is set up wrongly: found, named, and told how to mend.</summary>
public sealed class ClusterDoctorTests : IClassFixture<ClusterDoctorTests.Well>, IDisposable
{
    readonly Patient _patient = new();
    readonly RedisServer _redis;

    public ClusterDoctorTests(Well well) => _redis = well.Redis;

    public void Dispose() => _patient.Dispose();

    /// <summary>A Redis as it should be: tests that change it change it back.</summary>
    public sealed class Well : IDisposable
    {
        public RedisServer Redis { get; } = RedisServer.Start("--maxmemory", "1gb", "--maxmemory-policy", "noeviction");

        public void Dispose() => Redis.Dispose();
    }

    [Fact]
    public async Task AHealthyClusterIsCalledHealthy()
    {
        var findings = await _patient.ExamineAsync("silo", "--redis", _redis.Address, "--listen", "127.0.0.1:0",
            "--redis-spill", _redis.Address);
        Assert.True(findings.Count(Verdict.Fail) == 0, string.Join('\n', findings.All));
        Assert.Equal(["advertise", "redis-spill.server", "redis-spill.eviction"],
            findings.All.Where(f => f.Verdict == Verdict.Warn && !f.Check.EndsWith("latency")).Select(f => f.Check));
        Patient.Has(findings, "redis.rights", Verdict.Ok, "");
    }

    [Fact]
    public Task NoRedis() => SuffersAsync("redis", Verdict.Fail, "is it running", "--redis", "127.0.0.1:9");

    [Fact]
    public Task NoSuchHost() => SuffersAsync("redis", Verdict.Fail, "no-such-host", "--redis", "no-such-host.invalid:6379");

    [Fact]
    public Task NoAddress() => SuffersAsync("redis", Verdict.Fail, "host:port", "--redis", "127.0.0.1:many");

    [Fact]
    public async Task AWrongPassword()
    {
        using var redis = RedisServer.Start("--requirepass", "secret");
        await SuffersAsync("redis", Verdict.Fail, "password=", "--redis", redis.Address);
        await SuffersAsync("redis", Verdict.Fail, "password of Redis is wrong", "--redis", redis.Address + ",password=guess");
    }

    [Fact]
    public Task NoLogOfWrites() =>
        AfterAsync("appendonly", "no", "yes", "redis.persistence", Verdict.Fail, "CONFIG SET appendonly yes");

    [Fact]
    public Task ALogThatIsNotSynced() =>
        AfterAsync("appendfsync", "no", "everysec", "redis.persistence", Verdict.Warn, "appendfsync everysec");

    [Fact]
    public Task ConversationsThatMayBeDropped() =>
        AfterAsync("maxmemory-policy", "allkeys-lru", "noeviction", "redis.eviction", Verdict.Fail, "noeviction");

    [Fact]
    public Task NoLimitOfMemory() => AfterAsync("maxmemory", "0", "1gb", "redis.memory", Verdict.Warn, "maxmemory is 0");

    [Fact]
    public Task MoreMemoryThanThereIs() =>
        AfterAsync("maxmemory", "100000gb", "1gb", "redis.memory", Verdict.Fail, "more than its machine has");

    [Fact]
    public async Task FullToTheBrim()
    {
        _redis.Ask("CONFIG", "SET", "maxmemory", "1mb");
        try
        {
            var findings = await _patient.ExamineAsync("silo", "--redis", _redis.Address);
            Patient.Has(findings, "redis.memory", Verdict.Fail, "");
            Patient.Has(findings, "redis.writes", Verdict.Fail, "OOM");
        }
        finally
        {
            _redis.Ask("CONFIG", "SET", "maxmemory", "1gb");
        }
    }

    [Fact]
    public Task TooFewReplicasToWrite() => AfterAsync(
        "min-replicas-to-write", "1", "0", "redis.writes", Verdict.Fail, "min-replicas-to-write");

    [Fact]
    public async Task AReplica()
    {
        using var replica = RedisServer.Start("--replicaof", $"127.0.0.1 {_redis.Port}", "--maxmemory", "1gb");
        var findings = await _patient.ExamineAsync("silo", "--redis", replica.Address);
        Patient.Has(findings, "redis.role", Verdict.Fail, "name the primary");
    }

    [Fact]
    public async Task ARedisClusterWithoutItsSlots()
    {
        using var redis = RedisServer.Start("--cluster-enabled", "yes", "--maxmemory", "1gb");
        var findings = await _patient.ExamineAsync("silo", "--redis", redis.Address);
        Patient.Has(findings, "redis.mode", Verdict.Fail, "0 of 16384");
    }

    [Theory]
    [InlineData("+@all -hgetall ~*", "HGETALL")]
    [InlineData("+@all -eval -evalsha ~*", "EVAL, EVALSHA")]
    [InlineData("+@all ~other:*", "EVAL")]
    public async Task AUserWithTooFewRights(string rules, string named)
    {
        using var redis = RedisServer.Start("--requirepass", "secret", "--maxmemory", "1gb");
        redis.Ask(["ACL", "SETUSER", "default", "resetkeys", .. rules.Split(' ')]);
        var findings = await _patient.ExamineAsync("silo", "--redis", redis.Address + ",password=secret");
        Patient.Has(findings, "redis.rights", Verdict.Fail, named);
    }

    [Fact]
    public async Task ASpillUserWithTooFewRights()
    {
        using var spill = RedisServer.Start("--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru");
        spill.Ask("ACL", "SETUSER", "caches", "on", ">secret", "~*", "+@all", "-getrange");
        await SuffersAsync("redis-spill.rights", Verdict.Fail, "GETRANGE",
            "--redis", _redis.Address, "--redis-spill", spill.Address + ",user=caches,password=secret");
    }

    [Fact]
    public Task ASpillServerThatRefusesWhenItIsFull() => SuffersAsync("redis-spill.eviction", Verdict.Warn, "allkeys-lru",
        "--redis", _redis.Address, "--redis-spill", _redis.Address);

    [Fact]
    public async Task AnOldRedisThatIsFarAndOfAnotherTime()
    {
        await using var old = new OldRedis();
        var findings = await _patient.ExamineAsync("silo", "--redis", old.Address);
        Patient.Has(findings, "redis.version", Verdict.Fail, "5.0.14");
        Patient.Has(findings, "redis.latency", Verdict.Warn, "");
        Patient.Has(findings, "redis.clock", Verdict.Warn, "behind");
    }

    [Fact]
    public Task ALeaseThatIsNone() => SuffersAsync("flags", Verdict.Fail, "--lease", "--redis", _redis.Address, "--lease", "10ms");

    [Fact]
    public async Task APortOfPeersInUse()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await SuffersAsync("listen", Verdict.Fail, "no silo of this cluster",
            "--redis", _redis.Address, "--listen", taken.LocalEndpoint.ToString()!);
    }

    [Fact]
    public async Task ASiloThatRunsAlreadyIsNoFault()
    {
        await using var silo = await PeerServer.StartAsync(new PeerServerOptions
        {
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            Identity = new PeerIdentity("hearth"),
            Time = TimeProvider.System,
        }, new Dictionary<string, PeerHandler>());
        var findings = await _patient.ExamineAsync("silo", "--redis", _redis.Address, "--listen", silo.Address.ToString());
        Patient.Has(findings, "listen", Verdict.Ok, "runs already");
        await SuffersAsync("listen", Verdict.Fail, "no silo of this cluster",
            "--redis", _redis.Address, "--listen", silo.Address.ToString(), "--cluster", "another");
    }

    [Fact]
    public Task AnAdvertisedNameThatNobodyKnows() => SuffersAsync("advertise", Verdict.Fail, "cannot be resolved",
        "--redis", _redis.Address, "--listen", "127.0.0.1:0", "--advertise", "silo-0.no-such-host.invalid:7070");

    [Fact]
    public Task AnAdvertisedAddressThatLeadsElsewhere() => SuffersAsync("advertise", Verdict.Fail, "does not lead to --listen",
        "--redis", _redis.Address, "--listen", "127.0.0.1:0", "--advertise", "127.0.0.1:9");

    [Fact]
    public async Task AClusterKeyThatIsTooShortOrMissing()
    {
        await SuffersAsync("cluster-key", Verdict.Fail, "at least",
            "--redis", _redis.Address, "--cluster-key-file", _patient.Write("key", "short"));
        await SuffersAsync("cluster-key", Verdict.Fail, "nowhere",
            "--redis", _redis.Address, "--cluster-key-file", "/nowhere/key");
        using var free = new TcpListener(IPAddress.Any, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        await SuffersAsync("cluster-key", Verdict.Warn, "whoever reaches the port",
            "--redis", _redis.Address, "--listen", $"0.0.0.0:{port}", "--advertise", $"127.0.0.1:{port}");
    }

    [Theory]
    [InlineData("c2hvcnQ=", "32 bytes")]
    [InlineData("# nothing\n", "1 to 16 keys")]
    public Task ASpillKeyFileWithoutAKey(string text, string word) => SuffersAsync("spill-keys", Verdict.Fail, word,
        "--redis", _redis.Address, "--spill-key-file", _patient.Write("keys", text));

    Task SuffersAsync(string check, Verdict verdict, string word, params string[] arguments) =>
        _patient.SuffersAsync(check, verdict, word, ["silo", .. arguments]);

    async Task AfterAsync(string setting, string value, string before, string check, Verdict verdict, string word)
    {
        Assert.Equal("OK", _redis.Ask("CONFIG", "SET", setting, value));
        try
        {
            await SuffersAsync(check, verdict, word, "--redis", _redis.Address);
        }
        finally
        {
            _redis.Ask("CONFIG", "SET", setting, before);
        }
    }

    /// <summary>Answers as a Redis of long ago would: late, and with its time.</summary>
    sealed class OldRedis : IAsyncDisposable
    {
        readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        readonly Task _serving;

        public OldRedis()
        {
            _listener.Start();
            _serving = ServeAsync();
        }

        public string Address => _listener.LocalEndpoint.ToString()!;

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task ServeAsync()
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync();
                using var reader = new StreamReader(client.GetStream());
                while (await reader.ReadLineAsync() is ['*', .. var count])
                {
                    var words = new List<string>();
                    for (var i = int.Parse(count, CultureInfo.InvariantCulture); i > 0; i--)
                    {
                        var word = new char[int.Parse((await reader.ReadLineAsync())![1..], CultureInfo.InvariantCulture) + 2];
                        await reader.ReadBlockAsync(word);
                        words.Add(new string(word[..^2]));
                    }
                    await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(await AnswerAsync(words[0])));
                }
            }
        }

        static async Task<string> AnswerAsync(string command)
        {
            const string Info = "redis_version:5.0.14\r\nrole:master\r\naof_enabled:1\r\n";
            if (command == "PING")
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, TestContext.Current.CancellationToken);
            return command switch
            {
                "PING" => "+PONG\r\n",
                "TIME" => "*2\r\n$10\r\n1500000000\r\n$1\r\n0\r\n",
                "INFO" => $"${Info.Length}\r\n{Info}\r\n",
                "EVAL" => "*0\r\n",
                _ => "+OK\r\n",
            };
        }
    }
}
