using System.Diagnostics;
using Hearth.Actors.Transport;
using Xunit;

namespace Hearth.Actors.Tests.Transport;

public sealed class PeerCallTests
{
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ACallBringsItsRequestAndMessagesBothWaysUntilBothSidesAreDone()
    {
        await using var pair = await PeerPair.StartAsync(EchoAsync);
        await using var call = await pair.OpenAsync("request");
        Assert.Equal("request", await call.ReceiveTextAsync());
        foreach (var text in new[] { "one", "", new string('x', 1_000_000), "three" })
        {
            await call.SendTextAsync(text);
            Assert.Equal(text, await call.ReceiveTextAsync());
        }
        await call.CompleteAsync(Stop);
        Assert.Null(await call.ReceiveTextAsync());
    }

    [Fact]
    public async Task AThousandCallsAtOnceShareOneConnection()
    {
        await using var pair = await PeerPair.StartAsync(EchoAsync);
        await Task.WhenAll(Enumerable.Range(0, 1000).Select(async i =>
        {
            await using var call = await pair.OpenAsync($"{i}");
            Assert.Equal($"{i}", await call.ReceiveTextAsync());
            for (var n = 0; n < 5; n++)
            {
                await call.SendTextAsync($"{i}.{n}");
                Assert.Equal($"{i}.{n}", await call.ReceiveTextAsync());
            }
            await call.CompleteAsync(Stop);
            Assert.Null(await call.ReceiveTextAsync());
        }));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AnyMixOfCallsDeliversEveryMessageOnceInOrder(bool bulk)
    {
        for (var seed = 0; seed < 20; seed++)
        {
            await using var pair = await PeerPair.StartAsync(EchoAsync);
            await Task.WhenAll(Enumerable.Range(0, 8).Select(c => RunRandomCallAsync(pair, seed * 100 + c, bulk)));
        }
    }

    [Fact]
    public async Task CallsThatAreGivenUpAnywhereLeaveNothingBehind()
    {
        await using var pair = await PeerPair.StartAsync(EchoAsync);
        await Task.WhenAll(Enumerable.Range(0, 50).Select(async i =>
        {
            var random = new Random(i);
            await using var call = await pair.OpenAsync(new string('x', random.Next(100_000)), bulk: i % 2 == 0);
            using var giveUp = new CancellationTokenSource(TimeSpan.FromMilliseconds(random.Next(20)));
            var sending = SendAsync();
            try
            {
                for (var n = random.Next(5); n > 0; n--)
                    await call.ReceiveTextAsync();
            }
            catch (PeerException e) when (e.Fault == PeerFault.Aborted)
            {
                // Its own sender gave it up.
            }
            await call.DisposeAsync();
            await sending;

            async Task SendAsync()
            {
                try
                {
                    while (true)
                        await call.SendAsync(new byte[random.Next(3_000_000)], giveUp.Token);
                }
                catch (Exception e) when (e is PeerException or OperationCanceledException)
                {
                    await call.DisposeAsync();
                }
            }
        }));
        await using (var last = await pair.OpenAsync("last"))
            Assert.Equal("last", await last.ReceiveTextAsync());
        for (var i = 0; i < 100 && (pair.Server.BytesHeld, pair.Network.BytesHeld) != (0, 0); i++)
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Stop);
        Assert.Equal((0, 0), (pair.Server.BytesHeld, pair.Network.BytesHeld));
    }

    [Fact]
    public async Task ASenderStopsAtTheBoundAndASlowReaderHoldsUpNoOtherCall()
    {
        var read = new TaskCompletionSource();
        await using var pair = await PeerPair.StartAsync(new Dictionary<string, PeerHandler>
        {
            ["method"] = EchoAsync,
            ["slow"] = async (call, _) =>
            {
                await read.Task;
                await EchoAsync(call, default);
            },
        });
        await using var slow = await pair.OpenAsync(method: "slow");
        var part = new byte[10_000];
        var sent = 0;
        var sending = SendAllAsync();
        await using (var call = await pair.OpenAsync("before"))
            Assert.Equal("before", await call.ReceiveTextAsync());
        while (!await StandsStillAsync())
        {
        }
        Assert.InRange(Volatile.Read(ref sent), 1, Limits.PeerWindowBytes / part.Length);
        await using (var call = await pair.OpenAsync("meanwhile"))
            Assert.Equal("meanwhile", await call.ReceiveTextAsync());
        read.SetResult();
        Assert.Equal("", await slow.ReceiveTextAsync());
        for (var i = 0; i < 100; i++)
            Assert.Equal(part.Length, (await slow.ReceiveTextAsync())!.Length);
        await sending;

        async Task SendAllAsync()
        {
            for (var i = 0; i < 100; i++)
            {
                await slow.SendAsync(part, Stop);
                Interlocked.Increment(ref sent);
            }
        }

        async Task<bool> StandsStillAsync()
        {
            var before = Volatile.Read(ref sent);
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Stop);
            return before > 0 && before == Volatile.Read(ref sent);
        }
    }

    [Fact]
    public async Task BothSidesSeeTheDeadline()
    {
        var seen = new TaskCompletionSource<(PeerFault, TimeSpan)>();
        await using var pair = await PeerPair.StartAsync(async (call, cancellation) =>
        {
            var begun = Stopwatch.GetTimestamp();
            var over = new TaskCompletionSource();
            using var registration = cancellation.Register(over.SetResult);
            await over.Task;
            seen.SetResult((await call.FaultAsync(), Stopwatch.GetElapsedTime(begun)));
        });
        await using (var first = await pair.OpenAsync(method: "none"))
            Assert.Equal(PeerFault.Refused, await first.FaultAsync());
        var deadline = TimeSpan.FromMilliseconds(300);
        var begun = Stopwatch.GetTimestamp();
        await using var call = await pair.OpenAsync(deadline: deadline);
        Assert.Equal(PeerFault.Deadline, await call.FaultAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(begun), deadline * 0.9, deadline + TimeSpan.FromMilliseconds(200));
        var (fault, elapsed) = await seen.Task.WaitAsync(Soon, Stop);
        Assert.Equal(PeerFault.Deadline, fault);
        Assert.InRange(elapsed, deadline * 0.7, deadline + TimeSpan.FromMilliseconds(200));
    }

    [Fact]
    public async Task AHandlerTellsACallerThatGaveUpFromAConnectionThatDied()
    {
        var seen = new TaskCompletionSource<PeerFault>();
        await using var pair = await PeerPair.StartAsync(async (call, cancellation) =>
        {
            var over = new TaskCompletionSource();
            using var registration = cancellation.Register(over.SetResult);
            // The caller may be gone before this send returns.
            await call.SendTextAsync("begun").AsTask().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await over.Task;
            seen.SetResult(await call.FaultAsync());
        });
        var call = await pair.OpenAsync();
        Assert.Equal("begun", await call.ReceiveTextAsync());
        await call.DisposeAsync();
        Assert.Equal(PeerFault.Aborted, await seen.Task.WaitAsync(Soon, Stop));
        Assert.Equal(PeerFault.Aborted, await call.FaultAsync());

        seen = new();
        call = await pair.OpenAsync();
        Assert.Equal("begun", await call.ReceiveTextAsync());
        await pair.Network.DisposeAsync();
        Assert.Equal(PeerFault.Lost, await seen.Task.WaitAsync(Soon, Stop));
        Assert.Equal(PeerFault.Lost, await call.FaultAsync());
    }

    [Fact]
    public async Task AHandlersExceptionReachesTheCallerAfterWhatItHadSent()
    {
        await using var pair = await PeerPair.StartAsync(async (call, _) =>
        {
            await call.SendTextAsync("first");
            throw new InvalidOperationException("it broke");
        });
        await using var call = await pair.OpenAsync();
        Assert.Equal("first", await call.ReceiveTextAsync());
        var failure = await Assert.ThrowsAsync<PeerException>(call.ReceiveTextAsync);
        Assert.Equal(PeerFault.Failed, failure.Fault);
        Assert.EndsWith("it broke", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(" at Hearth", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AHandlerThatReturnsEndsTheCallForASenderToo()
    {
        await using var pair = await PeerPair.StartAsync((_, _) => Task.CompletedTask);
        await using var call = await pair.OpenAsync();
        Assert.Null(await call.ReceiveTextAsync());
        var failure = await Assert.ThrowsAsync<PeerException>(() => call.SendTextAsync("late").AsTask());
        Assert.Equal(PeerFault.Aborted, failure.Fault);
        await call.CompleteAsync(Stop);
    }

    [Fact]
    public async Task AMessageBeyondTheLimitIsRefusedAndHarmsNothing()
    {
        await using var pair = await PeerPair.StartAsync(EchoAsync);
        await using var call = await pair.OpenAsync("a");
        Assert.Equal("a", await call.ReceiveTextAsync());
        var failure = await Assert.ThrowsAsync<PeerException>(
            () => call.SendAsync(new byte[Limits.PeerMessageBytesMax + 1], Stop).AsTask());
        Assert.Equal(PeerFault.Refused, failure.Fault);
        await call.SendTextAsync("b");
        Assert.Equal("b", await call.ReceiveTextAsync());
    }

    [Fact]
    public async Task AStoppingServerLetsCallsEndRefusesNewOnesAndThenCutsWhatIsLeft()
    {
        var pair = await PeerPair.StartAsync(EchoAsync);
        var call = await pair.OpenAsync("a");
        var idle = await pair.OpenAsync("idle");
        Assert.Equal("a", await call.ReceiveTextAsync());
        Assert.Equal("idle", await idle.ReceiveTextAsync());
        var stopping = pair.Server.StopAsync(TimeSpan.FromSeconds(1));
        await using (var late = await pair.OpenAsync("late"))
            Assert.Equal(PeerFault.Unreachable, await late.FaultAsync());
        await call.SendTextAsync("b");
        Assert.Equal("b", await call.ReceiveTextAsync());
        await call.CompleteAsync(Stop);
        Assert.Null(await call.ReceiveTextAsync());
        Assert.False(stopping.IsCompleted);
        Assert.Equal(PeerFault.Lost, await idle.FaultAsync());
        await stopping;
        var failure = await Assert.ThrowsAsync<PeerException>(() => pair.OpenAsync().AsTask());
        Assert.Equal(PeerFault.Unreachable, failure.Fault);
        await pair.DisposeAsync();
    }

    /// <summary>Sends back the request and every message.</summary>
    static async Task EchoAsync(PeerCall call, CancellationToken cancellation)
    {
        await call.SendAsync(call.Request, cancellation);
        while (await call.ReceiveAsync(cancellation) is { } message)
        {
            using (message)
                await call.SendAsync(message.Memory, cancellation);
        }
    }

    /// <summary>Sends and receives at the same time, sizes and pauses at random.</summary>
    static async Task RunRandomCallAsync(PeerPair pair, int seed, bool bulk)
    {
        var messages = new List<string>();
        var random = new Random(seed);
        for (var i = random.Next(1, 30); i > 0; i--)
        {
            var length = random.Next(4) switch { 0 => random.Next(3), 1 => random.Next(2_000), 2 => random.Next(20_000), _ => random.Next(700_000) };
            messages.Add(new string((char)random.Next('a', 'z'), length));
        }
        await using var call = await pair.OpenAsync(messages[0], bulk: bulk);
        var sending = SendAsync();
        foreach (var expected in messages)
        {
            Assert.True(expected == await call.ReceiveTextAsync(), $"seed {seed}");
            if (random.Next(4) == 0)
                await Task.Yield();
        }
        Assert.Null(await call.ReceiveTextAsync());
        await sending;

        async Task SendAsync()
        {
            foreach (var message in messages.Skip(1))
                await call.SendTextAsync(message);
            await call.CompleteAsync(Stop);
        }
    }
}
