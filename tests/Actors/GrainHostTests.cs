using Hearth.Actors.Storage.Embedded;
using Hearth.Actors.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Actors.Tests;

public sealed class GrainHostTests : IAsyncDisposable
{
    static readonly GrainId Id = new("tenant", "counter");
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    readonly VirtualTime _time = new();
    readonly TemporaryDirectory _directory = new();
    readonly EmbeddedStore _store;
    readonly GrainHost<Counter> _host;
    readonly List<Counter> _made = [];

    public GrainHostTests()
    {
        _store = EmbeddedStore.Open(_directory.Path, 1 << 20, _time);
        _host = NewHost("s1", activationsMax: 3);
    }

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _store.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task ManyCallersAtOnceMeetOneActivationThatRunsThemOneByOne()
    {
        await _host.ActivateAsync(Id, Stop);
        await Task.WhenAll(Enumerable.Range(0, Limits.MailboxMessages).Select(_ => Task.Run(() => AddAsync(), Stop)));
        Assert.Equal(Limits.MailboxMessages, _made.Single().Count);
        Assert.False(_made.Single().Overlapped);
    }

    [Fact]
    public async Task AFullMailboxRefusesWithAReason()
    {
        var counter = await _host.ActivateAsync(Id, Stop);
        var (running, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        var first = counter.Context.CallAsync(async () =>
        {
            running.SetResult();
            await gate.Task;
            return 0;
        });
        await running.Task;
        var waiting = Enumerable.Range(0, Limits.MailboxMessages)
            .Select(_ => counter.Context.CallAsync(() => Task.FromResult(1))).ToList();
        var refusal = await Assert.ThrowsAsync<GrainRefusedException>(() => counter.Context.CallAsync(() => Task.FromResult(1)));
        Assert.Equal(RefusalKind.Busy, refusal.Kind);
        gate.SetResult();
        await first;
        Assert.All(await Task.WhenAll(waiting), one => Assert.Equal(1, one));
    }

    [Fact]
    public async Task AnExceptionGoesToItsCallerAndTheLoopGoesOn()
    {
        var counter = await _host.ActivateAsync(Id, Stop);
        await Assert.ThrowsAsync<InvalidDataException>(
            () => counter.Context.CallAsync<int>(() => throw new InvalidDataException()));
        Assert.Equal(1, await AddAsync());
    }

    [Fact]
    public async Task AnIdleActivationIsCollectedAndComesBackWithTheNextEpoch()
    {
        var first = await _host.ActivateAsync(Id, Stop);
        await AddAsync();
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.NotNull(_host.Find(Id));
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(DeactivationReason.Idle, await first.Ended.WaitAsync(Soon, Stop));
        var second = await _host.ActivateAsync(Id, Stop);
        Assert.NotSame(first, second);
        Assert.Equal(first.Context.Fence.Epoch + 1, second.Context.Fence.Epoch);
        Assert.NotEqual(first.Context.Fence.Activation, second.Context.Fence.Activation);
    }

    /// <summary>Time that passes after the answer counts, however late the activation's own thread is.</summary>
    [Fact]
    public async Task WhoHasTheAnswerFindsTheActivationAtRest()
    {
        await _host.ActivateAsync(Id, Stop);
        for (var i = 0; i < 1000; i++)
        {
            await AddAsync();
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.Equal(TimeSpan.FromSeconds(1), _host.Live.Single().Idle);
        }
    }

    [Fact]
    public async Task AWorkingActivationIsNotCollected()
    {
        var counter = await _host.ActivateAsync(Id, Stop);
        var (running, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        var call = counter.Context.CallAsync(async () =>
        {
            running.SetResult();
            await gate.Task;
            return 5;
        });
        await running.Task;
        _time.Advance(TimeSpan.FromHours(2));
        Assert.Same(counter, _host.Find(Id));
        gate.SetResult();
        Assert.Equal(5, await call);
    }

    [Fact]
    public async Task ADeadSilosGrainsAreTakenOverAndALivingOnesAreNot()
    {
        await using var other = NewHost("s2", activationsMax: 3);
        var here = await _host.ActivateAsync(Id, Stop);
        var refusal = await Assert.ThrowsAsync<GrainRefusedException>(() => other.ActivateAsync(Id, Stop));
        Assert.Equal(RefusalKind.OwnedElsewhere, refusal.Kind);
        _gone.Add("s1");
        var there = await other.ActivateAsync(Id, Stop);
        Assert.Equal(here.Context.Fence.Epoch + 1, there.Context.Fence.Epoch);
    }

    [Fact]
    public async Task AnActivationThatCannotLoadRefusesItsCallersAndTheNextOneTriesAnew()
    {
        for (var i = 0; i < 100; i++)
        {
            var id = new GrainId("tenant", $"{i}");
            _failNextLoad = true;
            await Assert.ThrowsAsync<StoreException>(() => _host.CallAsync(id, c => c.AddAsync(), Stop));
            Assert.Equal(1, await _host.CallAsync(id, c => c.AddAsync(), Stop));
            await _host.DeactivateAsync(id, DeactivationReason.Idle);
        }
    }

    [Fact]
    public async Task AtTheLimitTheLongestIdleMakesRoomAndWithoutAnIdleOneTheCallerIsRefused()
    {
        var first = await _host.ActivateAsync(new GrainId("t", "1"), Stop);
        _time.Advance(TimeSpan.FromSeconds(1));
        await _host.ActivateAsync(new GrainId("t", "2"), Stop);
        await _host.ActivateAsync(new GrainId("t", "3"), Stop);
        await _host.ActivateAsync(new GrainId("t", "4"), Stop);
        Assert.Equal(DeactivationReason.Idle, await first.Ended.WaitAsync(Soon, Stop));
        Assert.Equal(3, _host.Count);

        var (goOn, running) = (new TaskCompletionSource(), new CountdownEvent(3));
        var calls = Enumerable.Range(2, 3).Select(i => _host.CallAsync(new GrainId("t", $"{i}"), async _ =>
        {
            running.Signal();
            await goOn.Task;
            return 0;
        }, Stop)).ToList();
        Assert.True(running.Wait(Soon, Stop));
        var refusal = await Assert.ThrowsAsync<GrainRefusedException>(() => _host.ActivateAsync(new GrainId("t", "5"), Stop));
        Assert.Equal(RefusalKind.TooManyActivations, refusal.Kind);
        goOn.SetResult();
        await Task.WhenAll(calls);
    }

    [Fact]
    public async Task AStoppingHostInterruptsWhatRunsAndRefusesTheRest()
    {
        var counter = await _host.ActivateAsync(Id, Stop);
        var running = new TaskCompletionSource();
        var call = counter.Context.CallAsync(async () =>
        {
            running.SetResult();
            await counter.Interrupted;
            return 1;
        });
        await running.Task;
        var waiting = counter.Context.CallAsync(() => Task.FromResult(2));
        await _host.DisposeAsync();
        Assert.Equal(1, await call);
        Assert.Equal(RefusalKind.Stopping, (await Assert.ThrowsAsync<GrainRefusedException>(() => waiting)).Kind);
        Assert.Equal(RefusalKind.Stopping, (await Assert.ThrowsAsync<GrainRefusedException>(() => AddAsync())).Kind);
        Assert.Null((await _store.Grains.DescribeAsync(Id, Stop))!.Owner);
    }

    readonly HashSet<string> _gone = [];
    bool _failNextLoad;

    GrainHost<Counter> NewHost(string silo, int activationsMax) => new(
        new GrainHostOptions { Silo = silo, SiloIsGone = (other, _) => ValueTask.FromResult(_gone.Contains(other)), ActivationsMax = activationsMax },
        _store.Grains, Create, _time, NullLogger.Instance);

    Task<int> AddAsync() => _host.CallAsync(Id, c => c.AddAsync(), Stop);

    Counter Create(GrainContext context)
    {
        var counter = new Counter(context, _failNextLoad);
        _failNextLoad = false;
        lock (_made)
            _made.Add(counter);
        return counter;
    }

    sealed class Counter(GrainContext context, bool failToLoad) : Grain(context)
    {
        readonly TaskCompletionSource<DeactivationReason> _ended = new();
        readonly TaskCompletionSource _interrupted = new();
        int _inside;

        public int Count { get; private set; }
        public bool Overlapped { get; private set; }
        public Task<DeactivationReason> Ended => _ended.Task;
        public Task Interrupted => _interrupted.Task;

        public async Task<int> AddAsync()
        {
            Overlapped |= Interlocked.Increment(ref _inside) != 1;
            var before = Count;
            await Task.Yield();
            Count = before + 1;
            Interlocked.Decrement(ref _inside);
            return Count;
        }

        protected internal override Task ActivateAsync(CancellationToken cancellationToken) =>
            failToLoad ? throw new StoreException("no") : Task.CompletedTask;

        protected internal override Task DeactivateAsync(DeactivationReason reason)
        {
            _ended.SetResult(reason);
            return Task.CompletedTask;
        }

        protected internal override void Interrupt(DeactivationReason reason) => _interrupted.TrySetResult();
    }
}
