using System.Diagnostics;
using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Actors.Storage.Redis;
using Hearth.Actors.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Actors.Tests.Membership;

/// <summary>Runs alone: it takes everybody's threads.</summary>
[CollectionDefinition(nameof(StarvedProcessTests), DisableParallelization = true)]
public sealed class StarvedProcess : ICollectionFixture<SharedRedis>;

/// <summary>Beats against a real Redis, in a process that has no thread and no core to spare.</summary>
[Collection(nameof(StarvedProcessTests))]
public sealed class StarvedProcessTests(SharedRedis redis)
{
    static readonly MembershipOptions _options = new();

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ASiloKeepsItsLeaseWhenThePoolIsFullAndAllCoresBurn()
    {
        await using var store = await redis.ConnectAsync();
        var beats = 0;
        await using var member = await JoinAsync(store, () => new SiloLoad { Running = Interlocked.Increment(ref beats) });
        await member.SetStatusAsync(SiloStatus.Active, Stop);
        var lapses = 0;
        using (Starve())
        {
            var began = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(began) < _options.Lease * 4)
            {
                lapses += member.Lease.IsHeld ? 0 : 1;
                Thread.Yield();
            }
        }
        Assert.Equal(0, lapses);
        // Four leases are twenty-four beats; a few may come late.
        Assert.InRange(beats, 16, int.MaxValue);
        Assert.Equal(SiloStatus.Active, (await store.Membership.ReadAsync(Stop)).View.Find(member.Silo)!.Status);
    }

    [Fact]
    public async Task AForcedCollectionOfALargeHeapDoesNotCostTheLease()
    {
        await using var store = await redis.ConnectAsync();
        await using var member = await JoinAsync(store, () => new SiloLoad());
        var heap = Enumerable.Range(0, 200_000).Select(i => new byte[i % 512]).ToArray();
        for (var i = 0; i < 10; i++)
        {
            GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
            Assert.True(member.Lease.IsHeld);
        }
        GC.KeepAlive(heap);
    }

    [Fact]
    public async Task ARestartedRedisIsFoundAgainWithinALeaseAndWhatIsOwnedIsChecked()
    {
        await using var store = await redis.ConnectAsync();
        var checkedAgain = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var member = await JoinAsync(store, () => new SiloLoad());
        member.Revalidate = _ =>
        {
            Assert.False(member.Lease.IsHeld);
            checkedAgain.SetResult();
            return Task.CompletedTask;
        };
        var silo = member.Silo;
        await redis.Server.RestartAsync();
        await checkedAgain.Task.WaitAsync(TimeSpan.FromSeconds(10), Stop);
        await member.Lease.HeldAsync(Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(10), Stop);
        Assert.Equal(silo, member.Silo);
        Assert.False(member.Died.IsCompleted);
    }

    static async Task<SiloMember> JoinAsync(RedisStore store, Func<SiloLoad> load)
    {
        var member = new SiloMember(store.Membership, _options, load, TimeProvider.System, NullLogger.Instance);
        await member.JoinAsync(
            new SiloEntry($"s/{SiloMember.NewGeneration()}", "127.0.0.1:1", SiloStatus.Joining, "{}"), Stop);
        return member;
    }

    /// <summary>Fills the thread pool with work that never yields, so that every core burns and no callback runs, until
    /// disposed of.</summary>
    static Starving Starve()
    {
        var starving = new Starving();
        starving.Begin();
        return starving;
    }

    sealed class Starving : IDisposable
    {
        readonly ManualResetEventSlim _end = new();
        (int Workers, int Ports) _before;

        public void Begin()
        {
            ThreadPool.GetMaxThreads(out _before.Workers, out _before.Ports);
            ThreadPool.SetMaxThreads(Environment.ProcessorCount, _before.Ports);
            for (var i = 0; i < Environment.ProcessorCount * 4; i++)
                ThreadPool.UnsafeQueueUserWorkItem(_ => Burn(), null);
        }

        public void Dispose()
        {
            _end.Set();
            ThreadPool.SetMaxThreads(_before.Workers, _before.Ports);
        }

        void Burn()
        {
            while (!_end.IsSet)
                Thread.SpinWait(1000);
        }
    }
}
