using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Redis;
using Hearth.Tests.Shared;
using Microsoft.Extensions.Logging;
using Xunit;
using static Hearth.Actors.Tests.Storage.RedisCalls;

namespace Hearth.Actors.Tests.Storage;

/// <summary>What the stores do when Redis does not do what it should.</summary>
public sealed class RedisFaultTests
{
    static readonly GrainId Grain = new("tenant", "conversation");
    static readonly Fence Fence = new(1, "a");

    [Fact]
    public async Task AServerThatForgetsItsScriptsGetsThemAgain()
    {
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        server.Ask("SCRIPT", "FLUSH", "SYNC");
        Assert.Equal(CommitOutcome.Done, (await store.Grains.CommitAsync(Grain, Fence, Step(0, "x"), Stop)).Outcome);
        Assert.Equal("x"u8.ToArray(), (await store.Grains.ReadAsync(Grain, Stop))!.Log.Single());
    }

    [Fact]
    public async Task AFullServerRefusesAWriteAsAWholeAndStillDeletesAndBeats()
    {
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server.Address);
        await store.Membership.JoinAsync(new SiloEntry("s1/1", "a:1", SiloStatus.Active, "{}"), Stop);
        await store.Membership.BeatAsync("s1/1", default, Stop);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        await store.Grains.CommitAsync(Grain, Fence, Step(0, "one", "two"), Stop);
        await store.Grains.BeginAsync(Grain, Fence, "t1", "h", default, Stop);
        server.Ask("CONFIG", "SET", "maxmemory", "1");

        // It cuts the log and the journal before it appends: the refusal comes before either.
        var cut = Step(2, "three") with { Operation = "t1", Hash = "h", Keep = 1, JournalKeep = 0 };
        Task[] writes =
        [
            store.Grains.CommitAsync(Grain, Fence, cut, Stop).AsTask(),
            store.Grains.BeginAsync(Grain, Fence, "t2", "h", default, Stop).AsTask(),
            store.Grains.AcquireAsync(new GrainId("tenant", "new"), "s1", "b", null, Stop).AsTask(),
            store.Grains.HandOverAsync(Grain, Fence, "s2", "b", "t1", Stop).AsTask(),
        ];
        foreach (var write in writes)
        {
            var refusal = await Assert.ThrowsAsync<StoreException>(() => write);
            Assert.False(refusal.OutcomeUnknown);
            Assert.Contains("full", refusal.Message, StringComparison.Ordinal);
        }
        var read = await store.Grains.ReadAsync(Grain, Stop);
        Assert.Equal(["one"u8.ToArray(), "two"u8.ToArray()], read!.Log);
        Assert.Equal("journal"u8.ToArray(), read.Journal);
        Assert.Equal(["t1"], read.Pending.Select(p => p.Id));
        Assert.Null(await store.Grains.LocateAsync(new GrainId("tenant", "new"), Stop));

        Assert.Equal(BeatOutcome.Alive, (await store.Membership.BeatAsync("s1/1", new byte[1000], Stop)).Outcome);
        Assert.Equal(2, (await store.Membership.ReadAsync(Stop)).Beats["s1/1"].Count);
        Assert.Equal(WriteOutcome.Done, await store.Grains.EndAsync(Grain, Fence, "t1", OperationStatus.Failed, Stop));
        Assert.Equal(WriteOutcome.Done, await store.Grains.ReleaseAsync(Grain, Fence, Stop));
        Assert.True(await store.Grains.DeleteAsync(Grain, Stop));
        Assert.Equal(AcquireOutcome.Deleted, (await store.Grains.AcquireAsync(Grain, "s1", "b", null, Stop)).Outcome);
        server.Ask("CONFIG", "SET", "maxmemory", "0");
        Assert.Equal(1, (await store.Grains.AcquireAsync(new GrainId("tenant", "new"), "s1", "b", null, Stop)).Epoch);
    }

    /// <summary>INV-31. Beats are refused like all writes, so nobody may see that they have stopped: all would be declared dead when
    /// the disk is well again.</summary>
    [Fact]
    public async Task AServerWhoseDiskFailsRefusesWritesAndLooksAtBeats()
    {
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server.Address);
        await store.Membership.JoinAsync(new SiloEntry("s1/1", "a:1", SiloStatus.Active, "{}"), Stop);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        var inTheWay = Directory.CreateDirectory(Path.Combine(server.DirectoryPath, "dump.rdb"));
        server.Ask("CONFIG", "SET", "save", "3600 1000000");
        server.Ask("BGSAVE");
        while (!server.Ask("INFO", "persistence").Contains("rdb_last_bgsave_status:err", StringComparison.Ordinal))
            await Task.Yield();
        foreach (var call in new Func<Task>[]
        {
            () => store.Grains.CommitAsync(Grain, Fence, Step(0, "x"), Stop).AsTask(),
            () => store.Membership.BeatAsync("s1/1", default, Stop).AsTask(),
            () => store.Membership.DeclareDeadAsync("s1/1", 0, Stop).AsTask(),
            () => store.Membership.ReadAsync(Stop).AsTask(),
        })
        {
            var refusal = await Assert.ThrowsAsync<StoreException>(call);
            Assert.False(refusal.OutcomeUnknown);
            Assert.Contains("disk", refusal.Message, StringComparison.Ordinal);
        }
        Assert.Empty((await store.Grains.ReadAsync(Grain, Stop))!.Log);
        inTheWay.Delete();
        server.Ask("CONFIG", "SET", "save", "");
        Assert.Equal(CommitOutcome.Done, (await store.Grains.CommitAsync(Grain, Fence, Step(0, "x"), Stop)).Outcome);
        Assert.Equal(BeatOutcome.Alive, (await store.Membership.BeatAsync("s1/1", default, Stop)).Outcome);
    }

    [Fact]
    public async Task AServerThatIsBusyWithAScriptRefuses()
    {
        using var server = RedisServer.Start("--busy-reply-threshold", "10");
        await using var store = await ConnectAsync(server.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        var busy = Task.Run(() => server.Ask("EVAL", "while true do end", "0"), Stop);
        StoreException refusal;
        do
        {
            refusal = await Assert.ThrowsAsync<StoreException>(async () =>
            {
                while (true)
                    await store.Grains.CommitAsync(Grain, Fence, Step(0, "x") with { Keep = 9 }, Stop);
            });
        } while (refusal.OutcomeUnknown);
        Assert.Contains("SCRIPT KILL", refusal.Message, StringComparison.Ordinal);
        server.Ask("SCRIPT", "KILL");
        await busy;
        Assert.Empty((await EventuallyAsync(() => store.Grains.ReadAsync(Grain, Stop).AsTask()))!.Log);
    }

    /// <summary>INV-08: a server that lost its last writes grants an epoch twice: only the activation keeps the first out.</summary>
    [Fact]
    public async Task AfterARollBackTheSameEpochIsGrantedAgainAndItsFormerOwnerStaysOut()
    {
        using var server = RedisServer.Start("--appendfsync", "always", "--aof-use-rdb-preamble", "no");
        await using var store = await ConnectAsync(server.Address);
        await store.Membership.JoinAsync(new SiloEntry("s1/1", "a:1", SiloStatus.Active, "{}"), Stop);
        var before = await store.Membership.BeatAsync("s1/1", default, Stop);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        var kept = new FileInfo(server.LogPath).Length;
        Assert.Equal(2, (await store.Grains.AcquireAsync(Grain, "s2", "b", "a", Stop)).Epoch);
        await store.Grains.CommitAsync(Grain, new Fence(2, "b"), Step(0, "lost"), Stop);

        server.Kill();
        server.CutLog(kept);
        await server.RunAsync();
        await server.ReadyAsync();
        Assert.Equal(2, (await EventuallyAsync(() => store.Grains.AcquireAsync(Grain, "s3", "c", "a", Stop).AsTask())).Epoch);
        var late = await store.Grains.CommitAsync(Grain, new Fence(2, "b"), Step(0, "late"), Stop);
        Assert.Equal(CommitOutcome.Fenced, late.Outcome);
        Assert.Equal(CommitOutcome.Done, (await store.Grains.CommitAsync(Grain, new Fence(2, "c"), Step(0, "x"), Stop)).Outcome);
        var after = await EventuallyAsync(() => store.Membership.BeatAsync("s1/1", default, Stop).AsTask());
        Assert.NotEqual(before.Incarnation, after.Incarnation);
    }

    /// <summary>INV-28, INV-30: nobody waits longer than the time set, and nobody has to do anything afterwards.</summary>
    [Fact]
    public async Task WhileAServerIsPausedEveryCallEndsInTimeAndAfterwardsItGoesOn()
    {
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        server.Pause();
        var paused = Stopwatch.StartNew();
        while (paused.Elapsed < 6 * Patience)
        {
            var call = Stopwatch.StartNew();
            var failure = await Assert.ThrowsAsync<StoreException>(
                async () => await store.Grains.CommitAsync(Grain, Fence, Step(0, "x"), Stop));
            Assert.InRange(call.Elapsed, TimeSpan.Zero, Patience + TimeSpan.FromMilliseconds(200));
            if (paused.Elapsed < Patience + TimeSpan.FromMilliseconds(200))
                Assert.True(failure.OutcomeUnknown);
            await Assert.ThrowsAsync<StoreException>(async () => await store.Membership.ReadAsync(Stop));
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Stop);
        }
        server.Resume();
        var resumed = Stopwatch.StartNew();
        await EventuallyAsync(() => store.Membership.ReadAsync(Stop).AsTask());
        var read = await EventuallyAsync(() => store.Grains.ReadAsync(Grain, Stop).AsTask());
        Assert.InRange(resumed.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        // The first commit was sent and may have been written, once; none of those after it was kept to be sent later.
        Assert.InRange(read!.Log.Count, 0, 1);
    }

    [Fact]
    public async Task AKilledServerIsFoundAgainByItself()
    {
        using var server = RedisServer.Start("--appendfsync", "always");
        await using var store = await ConnectAsync(server.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        for (var i = 0; i < 3; i++)
        {
            server.Kill();
            // The first may still meet the old connection and go out; those after it surely do not.
            await Assert.ThrowsAsync<StoreException>(async () => await store.Grains.LocateAsync(Grain, Stop));
            var failure = await Assert.ThrowsAsync<StoreException>(
                async () => await store.Grains.CommitAsync(Grain, Fence, Step(i, "x"), Stop));
            Assert.False(failure.OutcomeUnknown);
            await server.RestartAsync();
            var restarted = Stopwatch.StartNew();
            Assert.Equal(new CommitResult(CommitOutcome.Done, i + 1),
                await EventuallyAsync(() => store.Grains.CommitAsync(Grain, Fence, Step(i, "x"), Stop).AsTask()));
            Assert.InRange(restarted.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        }
    }

    /// <summary>INV-15: the commit happened and nobody was told; asked again the store knows.</summary>
    [Fact]
    public async Task ACommitWhoseReplyIsLostIsUnknownAndThenADuplicate()
    {
        using var server = RedisServer.Start();
        await using var proxy = new FaultProxy(new(IPAddress.Loopback, server.Port), seed: 1);
        await using var store = await ConnectAsync(proxy.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        await store.Grains.BeginAsync(Grain, Fence, "t1", "h", default, Stop);
        var step = Step(0, "x") with { Operation = "t1", Hash = "h", IndexKey = "k" };
        // Its text goes with the first call of a script: the one that counts is called by its hash.
        Assert.Equal(CommitOutcome.NotBegun,
            (await store.Grains.CommitAsync(Grain, Fence, step with { Operation = "t0" }, Stop)).Outcome);
        proxy.Replies = new() { Swallow = true };
        var failure = await Assert.ThrowsAsync<StoreException>(
            async () => await store.Grains.CommitAsync(Grain, Fence, step, Stop));
        Assert.True(failure.OutcomeUnknown);
        proxy.Replies = FaultPlan.None;
        Assert.Equal(new CommitResult(CommitOutcome.Duplicate, 1),
            await EventuallyAsync(() => store.Grains.CommitAsync(Grain, Fence, step, Stop).AsTask()));
        Assert.Equal("x"u8.ToArray(), Assert.Single((await store.Grains.ReadAsync(Grain, Stop))!.Log));
        Assert.Equal(Grain, await store.Grains.FindAsync("tenant", "k", Stop));
    }

    /// <summary>As behind a firewall that drops: nobody says no, and a plain connect would wait for minutes.</summary>
    [Fact]
    public async Task AServerThatTakesNoConnectionIsGivenUpInTime()
    {
        using var deaf = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        deaf.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        deaf.Listen(0);
        var address = (IPEndPoint)deaf.LocalEndPoint!;
        using var first = new TcpClient("127.0.0.1", address.Port);
        using var redis = new RedisThread(RedisAddress.Parse($"{address}"), "test", Patience, TimeProvider.System);
        for (var i = 0; i < 3; i++)
        {
            var call = Stopwatch.StartNew();
            var failure = await Assert.ThrowsAsync<StoreException>(
                () => redis.RunAsync(RedisScript.ReadMembers, new RedisKeys("test").Members, [], Stop));
            Assert.False(failure.OutcomeUnknown);
            Assert.InRange(call.Elapsed, TimeSpan.Zero, Patience + TimeSpan.FromMilliseconds(200));
        }
    }

    [Fact]
    public async Task AConnectionThatBreaksIsMadeAnew()
    {
        using var server = RedisServer.Start();
        await using var proxy = new FaultProxy(new(IPAddress.Loopback, server.Port), seed: 1);
        await using var store = await ConnectAsync(proxy.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        for (var i = 0; i < 5; i++)
        {
            proxy.CutAll();
            Assert.NotNull(await EventuallyAsync(() => store.Grains.LocateAsync(Grain, Stop).AsTask()));
        }
    }

    [Fact]
    public async Task AServerThatBecomesAReplicaRefusesAndIsUsedAgainWhenItIsPrimary()
    {
        using var other = RedisServer.Start();
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        server.Ask("REPLICAOF", "127.0.0.1", other.Address.Split(':')[1]);
        for (var i = 0; i < 3; i++)
        {
            var refusal = await Assert.ThrowsAsync<StoreException>(
                async () => await store.Grains.CommitAsync(Grain, Fence, Step(0, "x"), Stop));
            Assert.False(refusal.OutcomeUnknown);
            Assert.Contains("replica", refusal.Message, StringComparison.Ordinal);
        }
        server.Ask("REPLICAOF", "NO", "ONE");
        await EventuallyAsync(() => store.Grains.AcquireAsync(Grain, "s1", "b", "a", Stop).AsTask());
    }

    /// <summary>INV-08: the replica that takes over may lack the last writes, so it must be told apart.</summary>
    [Fact]
    public async Task AReplicaThatIsPromotedTakesOverAsAnotherIncarnation()
    {
        using var primary = RedisServer.Start();
        using var replica = RedisServer.Start();
        replica.Ask("REPLICAOF", "127.0.0.1", primary.Address.Split(':')[1]);
        await using var store = await ConnectAsync($"{replica.Address},{primary.Address}");
        await store.Membership.JoinAsync(new SiloEntry("s1/1", "a:1", SiloStatus.Active, "{}"), Stop);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        var before = await store.Membership.BeatAsync("s1/1", default, Stop);
        Assert.StartsWith("1", primary.Ask("WAIT", "1", "10000"), StringComparison.Ordinal);
        primary.Kill();
        replica.Ask("REPLICAOF", "NO", "ONE");
        var after = await EventuallyAsync(() => store.Membership.BeatAsync("s1/1", default, Stop).AsTask());
        Assert.Equal(BeatOutcome.Alive, after.Outcome);
        Assert.NotEqual(before.Incarnation, after.Incarnation);
        Assert.Equal(CommitOutcome.Done,
            (await EventuallyAsync(() => store.Grains.CommitAsync(Grain, Fence, Step(0, "x"), Stop).AsTask())).Outcome);
    }

    [Fact]
    public async Task WhatCannotBeUsedSaysWhatToDo()
    {
        using var primary = RedisServer.Start("--requirepass", "secret");
        using var replica = RedisServer.Start("--replicaof", $"127.0.0.1 {primary.Port}", "--masterauth", "secret");
        await AssertRefusedAsync("127.0.0.1:1", "is it running");
        await AssertRefusedAsync("", "host:port");
        await AssertRefusedAsync(primary.Address, "wants a password");
        await AssertRefusedAsync($"{primary.Address},password=wrong", "password of Redis is wrong");
        await AssertRefusedAsync(replica.Address, "read-only replica");
        await using var store = await ConnectAsync($"{primary.Address},password=secret");
        Assert.Null(await store.Grains.LocateAsync(Grain, Stop));
    }

    [Fact]
    public async Task AServerThatLoadsItsDataIsWaitedFor()
    {
        using var server = RedisServer.Start("--aof-use-rdb-preamble", "no");
        await using var store = await ConnectAsync(server.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        await store.Grains.CommitAsync(Grain, Fence, Step(0, "x"), Stop);
        server.Ask("EVAL", "for i = 1, 30000 do redis.call('SET', 'k' .. i, i) end", "0");
        server.Kill();
        await server.RunAsync("--key-load-delay", "100");
        // On a busy machine it may not even say so in time.
        var told = "";
        while (!told.Contains("loading", StringComparison.Ordinal))
            told = (await Assert.ThrowsAsync<StoreException>(async () => await ConnectAsync(server.Address))).Message;
        var failure = await Assert.ThrowsAsync<StoreException>(async () => await store.Grains.ReadAsync(Grain, Stop));
        Assert.False(failure.OutcomeUnknown);
        await server.ReadyAsync();
        Assert.Single((await EventuallyAsync(() => store.Grains.ReadAsync(Grain, Stop).AsTask()))!.Log);
    }

    [Fact]
    public async Task AServerThatWouldLoseDataIsWarnedOf()
    {
        using var server = RedisServer.Start("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "no");
        var log = new Lines();
        await using var store = await RedisStore.ConnectAsync(
            new RedisOptions { Control = server.Address }, TimeProvider.System, log, Stop);
        Assert.Contains(log.Written, l => l.Contains("Set maxmemory-policy noeviction", StringComparison.Ordinal));
        Assert.Contains(log.Written, l => l.Contains("Set appendonly yes", StringComparison.Ordinal));
    }

    /// <summary>An index lies elsewhere than its grains: what it has wrong is dropped, what it misses is written later.</summary>
    [Fact]
    public async Task AnIndexThatIsWrongHeals()
    {
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        server.Ask("ZADD", "hearth:{tenant}:index", "9999999999999999", "ghost");
        server.Ask("SET", "hearth:{tenant}:h:k", "ghost");
        server.Ask("SET", "hearth:{tenant}:h:other", "conversation");
        Assert.Equal([Grain], (await store.Grains.ListAsync("tenant", 1, Stop)).Select(s => s.Id));
        Assert.Null(await store.Grains.FindAsync("tenant", "k", Stop));
        Assert.Null(await store.Grains.FindAsync("tenant", "other", Stop));
        Assert.Equal("hearth:{tenant}:index", server.Ask("KEYS", "hearth:{tenant}:*"));
        Assert.Equal("1", server.Ask("ZCARD", "hearth:{tenant}:index"));

        // A key of another kind in its place: the index cannot be written, and the commit is done all the same.
        server.Ask("DEL", "hearth:{tenant}:index");
        server.Ask("SET", "hearth:{tenant}:index", "x");
        var step = Step(0, "x") with { IndexKey = "k" };
        Assert.Equal(CommitOutcome.Done, (await store.Grains.CommitAsync(Grain, Fence, step, Stop)).Outcome);
        server.Ask("DEL", "hearth:{tenant}:index");
        var other = new GrainId("tenant", "other");
        await store.Grains.AcquireAsync(other, "s1", "a", null, Stop);
        for (var i = 0; i < 2; i++)
            await store.Grains.CommitAsync(other, Fence, Step(i, "x"), Stop);
        Assert.Equal(Grain, await store.Grains.FindAsync("tenant", "k", Stop));
        Assert.Equal([other, Grain], (await store.Grains.ListAsync("tenant", 10, Stop)).Select(s => s.Id));
    }

    [Fact]
    public async Task OldResultsGoButThoseOfTheLastOperations()
    {
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server.Address);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        const string age = "for _, o in ipairs(redis.call('HKEYS', KEYS[1])) do local r = redis.call('HGET', KEYS[1], o) "
            + "redis.call('HSET', KEYS[1], o, (string.gsub(r, '^(%d %d+) %d+', '%1 1'))) end";
        await store.Grains.BeginAsync(Grain, Fence, "pending", "h", default, Stop);
        for (var i = 0; i < Limits.OperationsKept + 10; i++)
        {
            await store.Grains.BeginAsync(Grain, Fence, $"t{i}", "h", default, Stop);
            await store.Grains.CommitAsync(Grain, Fence, Step(i, "x") with { Operation = $"t{i}", Hash = "h" }, Stop);
        }
        Assert.NotNull(await store.Grains.FindOperationAsync(Grain, "t0", Stop));
        server.Ask("EVAL", age, "1", "hearth:{tenant/conversation}:o");
        await store.Grains.BeginAsync(Grain, Fence, "last", "h", default, Stop);
        Assert.Null(await store.Grains.FindOperationAsync(Grain, "t9", Stop));
        Assert.NotNull(await store.Grains.FindOperationAsync(Grain, $"t{Limits.OperationsKept + 9}", Stop));
        Assert.NotNull(await store.Grains.FindOperationAsync(Grain, "pending", Stop));
        var kept = (Limits.OperationsKept + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(kept, server.Ask("HLEN", "hearth:{tenant/conversation}:o"));
    }

    /// <summary>INV-06: a load that blocks the whole thread pool stops no silo's beats.</summary>
    [Fact]
    public async Task BeatsGoOnWhileTheThreadPoolIsStarved()
    {
        const int beats = 10;
        using var server = RedisServer.Start();
        await using var store = await ConnectAsync(server.Address);
        await store.Membership.JoinAsync(new SiloEntry("s1/1", "a:1", SiloStatus.Active, "{}"), Stop);
        using var release = new ManualResetEventSlim();
        for (var i = 0; i < 500; i++)
            ThreadPool.UnsafeQueueUserWorkItem(_ => release.Wait(), null);
        var longest = TimeSpan.Zero;
        await new BeatThread("beats of a test").RunAsync(async () =>
        {
            try
            {
                for (var i = 0; i < beats; i++)
                {
                    var beat = Stopwatch.StartNew();
                    await store.Membership.BeatAsync("s1/1", default, CancellationToken.None);
                    longest = beat.Elapsed > longest ? beat.Elapsed : longest;
                }
            }
            finally
            {
                release.Set();
            }
        });
        Assert.InRange(longest, TimeSpan.Zero, Patience);
        Assert.Equal(beats, (await store.Membership.ReadAsync(Stop)).Beats["s1/1"].Count);
    }

    static async Task AssertRefusedAsync(string address, string says)
    {
        var refusal = await Assert.ThrowsAsync<StoreException>(async () => await ConnectAsync(address));
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    sealed class Lines : ILogger
    {
        public List<string> Written { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Written)
                Written.Add(formatter(state, exception));
        }
    }
}
