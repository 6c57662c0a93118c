using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Hearth.Contracts;
using Xunit;

namespace Hearth.Engine.Tests;

public class EngineTests
{
    [Fact]
    public async Task AStormOfSubmitsCancelsDropsRestoresAndEvictionsLosesNoBlockAndMixesNoReply()
    {
        var random = new Random(11);
        var spills = await Task.WhenAll(Enumerable.Range(0, 6).Select(SpillAsync));
        var options = new EngineOptions { MaxSequences = 8, MaxQueue = 1000 };
        await using var harness = new Harness(blocks: 60, hostBytes: 4000, options);
        var running = new List<(TokenRequest Request, Task<Reply> Reply)>();
        var cancellations = new List<CancellationTokenSource>();
        for (var i = 0; i < 250; i++)
        {
            var cancellation = new CancellationTokenSource();
            cancellations.Add(cancellation);
            var seed = random.Next(6);
            var prompt = Harness.Tokens(seed, random.Next(1, 150));
            var request = Harness.Request($"c{random.Next(20)}", prompt, random.Next(1, 60)) with
            {
                Scope = $"tenant {random.Next(2)}",
                Keep = random.Next(3) > 0,
                Spill = random.Next(3) == 0 ? spills[seed] : null,
                Cancellation = cancellation.Token,
            };
            running.Add((request, harness.RunAsync(request)));
            if (random.Next(3) == 0)
            {
                await cancellations[random.Next(cancellations.Count)].CancelAsync();
            }

            if (random.Next(10) == 0)
            {
                await harness.DropAsync($"c{random.Next(20)}");
                await running[random.Next(running.Count)].Reply;
            }
        }

        foreach (var (request, reply) in running)
        {
            var got = await reply;
            var expected = await Harness.AloneAsync(request with { Cancellation = default });
            Assert.Equal(expected[..got.Tokens.Length], got.Tokens);
            Assert.True(got.Last.Kind == TokenChunkKind.Failed || got.Tokens.Length == expected.Length);
        }

        for (var i = 0; i < 20; i++)
        {
            await harness.DropAsync($"c{i}");
        }

        harness.Engine.Memory.CheckIntegrity();
        Assert.Equal((0, 0L), (harness.Engine.Memory.Pool.Used, harness.Engine.Memory.Host.BytesUsed));
        Assert.Equal((0, 0), (harness.Engine.Load.Running, harness.Engine.Load.Waiting));
        cancellations.ForEach(cancellation => cancellation.Dispose());
    }

    [Fact]
    public async Task NothingIsSharedBetweenScopes()
    {
        await using var harness = new Harness();
        var prompt = Harness.Tokens(1, 100);
        await harness.RunAsync(Harness.Request("a", prompt));
        var foreign = await harness.RunAsync(Harness.Request("b", prompt) with { Scope = "other tenant" });
        Assert.Equal((CacheOrigin.New, 0), (foreign.Admitted.Cache, foreign.Admitted.CachedTokens));
        var own = await harness.RunAsync(Harness.Request("c", prompt));
        Assert.Equal((CacheOrigin.Hit, 99), (own.Admitted.Cache, own.Admitted.CachedTokens));
    }

    [Fact]
    public async Task WhatIsNotKeptStaysFindableUntilItsBlocksAreNeeded()
    {
        await using var harness = new Harness(blocks: 20);
        var prompt = Harness.Tokens(1, 61);
        await harness.RunAsync(Harness.Request("a", prompt, 1) with { Keep = false });
        Assert.Equal(default, harness.Engine.DescribeCache(new CacheId("a")));
        Assert.Equal(0, harness.Engine.Memory.Pool.Used);
        Assert.Equal(60, (await harness.RunAsync(Harness.Request("b", prompt, 1) with { Keep = false })).Admitted.CachedTokens);
        await harness.RunAsync(Harness.Request("c", Harness.Tokens(2, 158), 1) with { Keep = false });
        Assert.Equal(0, (await harness.RunAsync(Harness.Request("d", prompt, 1) with { Keep = false })).Admitted.CachedTokens);
    }

    [Fact]
    public async Task CancellationEndsQueuedAndRunningRequestsAndKeepsWhatWasComputed()
    {
        await using var harness = new Harness();
        using var cancellation = new CancellationTokenSource();
        var chunks = harness.Submit(Harness.Request("a", Harness.Tokens(1, 50), 4000) with { Cancellation = cancellation.Token });
        Assert.Equal(TokenChunkKind.Admitted, (await chunks.ReadAsync(TestContext.Current.CancellationToken)).Kind);
        await chunks.ReadAsync(TestContext.Current.CancellationToken);
        await cancellation.CancelAsync();
        var last = await LastAsync(chunks);
        Assert.Equal(TurnError.Cancelled, last.Failure!.Error);
        Assert.True(harness.Engine.DescribeCache(new CacheId("a")).Tokens >= 50);
        var reply = await harness.RunAsync(Harness.Request("b", [1]) with { Cancellation = cancellation.Token });
        Assert.Equal((TurnError.Cancelled, 0), (reply.Last.Failure!.Error, reply.Tokens.Length));
    }

    [Fact]
    public async Task ASlowReaderPausesItsOwnSequenceAndIsGivenUpAfterTheLimit()
    {
        await using var harness = new Harness();
        var request = Harness.Request("slow", Harness.Tokens(1, 20), 600);
        var (slow, never) = (harness.Submit(request), harness.Submit(request with { Cache = new CacheId("never") }));
        await FullAsync(slow);
        await FullAsync(never);
        Assert.Equal(300, (await harness.RunAsync(Harness.Request("fast", Harness.Tokens(2, 20), 300))).Tokens.Length);
        Assert.Equal(Limits.ChunksUnreadMax, slow.Count);

        Assert.Equal(await Harness.AloneAsync(request), (await Harness.ReadAsync(slow)).Tokens);
        await harness.Time.WaitForTimerAsync();
        harness.Time.Advance(Limits.ReaderPauseMax);
        await never.WaitToReadAsync(TestContext.Current.CancellationToken);
        var last = await LastAsync(never);
        Assert.Equal(TurnError.Cancelled, last.Failure!.Error);
    }

    [Theory]
    [InlineData(256, 2)]
    [InlineData(100, 8)]
    public async Task SlowReadersGiveTheirPlacesUpAndLoseNothing(int blocks, int sequencesMax)
    {
        var options = new EngineOptions { MaxSequences = sequencesMax };
        await using var harness = new Harness(blocks: blocks, options: options);
        var requests = Enumerable.Range(0, 2).Select(i => Harness.Request($"slow {i}", Harness.Tokens(i, 20), 600)).ToArray();
        var slow = requests.Select(harness.Submit).ToArray();
        await FullAsync(slow[0]);
        await FullAsync(slow[1]);
        var next = Harness.Request("next", Harness.Tokens(5, 300), 300);
        Assert.Equal(await Harness.AloneAsync(next), (await harness.RunAsync(next)).Tokens);
        Assert.True(harness.Engine.Load.Preemptions > 0);
        var replies = slow.Select(Harness.ReadAsync).ToArray();
        for (var i = 0; i < slow.Length; i++)
        {
            Assert.Equal(await Harness.AloneAsync(requests[i]), (await replies[i]).Tokens);
        }
    }

    [Fact]
    public async Task AFailedStepEndsItsSequencesAndTheEngineGoesOn()
    {
        await using var harness = new Harness();
        harness.Runner.Gate.Reset();
        var requests = Enumerable.Range(0, 3).Select(i => Harness.Request($"c{i}", Harness.Tokens(i, 20)));
        var readers = requests.Select(harness.Submit).ToArray();
        harness.Runner.Failure = new InvalidDataException("device lost");
        harness.Runner.Gate.Set();
        var failed = 0;
        foreach (var reader in readers)
        {
            failed += (await Harness.ReadAsync(reader)).Last.Failure?.Error == TurnError.Internal ? 1 : 0;
        }

        Assert.InRange(failed, 1, 3);
        var request = Harness.Request("next", Harness.Tokens(1, 20));
        Assert.Equal(await Harness.AloneAsync(request), (await harness.RunAsync(request)).Tokens);
    }

    [Fact]
    public async Task RefusalsComeAtOnce()
    {
        await using var harness = new Harness(blocks: 20, options: new EngineOptions { MaxQueue = 2, MaxSequences = 1 });
        Assert.Equal(160, harness.Engine.Model.ContextLength);
        TurnError Submit(TokenRequest request) => harness.Engine.TrySubmit(request, out _);
        var good = Harness.Request("a", [1, 2, 3]);
        Assert.Equal(TurnError.ContextLengthExceeded, Submit(Harness.Request("a", Harness.Tokens(1, 160))));
        Assert.Equal(TurnError.InvalidRequest, Submit(Harness.Request("a", [])));
        Assert.Equal(TurnError.InvalidRequest, Submit(Harness.Request("a", [-1])));
        Assert.Equal(TurnError.InvalidRequest, Submit(Harness.Request("a", [FakeRunner.Vocabulary])));
        Assert.Equal(TurnError.InvalidRequest, Submit(good with { MaxTokens = 0 }));
        Assert.Equal(TurnError.InvalidRequest, Submit(good with { Sampling = new SamplingOptions { Temperature = float.NaN } }));
        Assert.Equal(TurnError.InvalidRequest, Submit(good with { Sampling = new SamplingOptions { TopP = 0 } }));
        harness.Runner.Gate.Reset();
        Assert.Equal(TurnError.None, Submit(good));
        var accepted = Enumerable.Range(0, 10).Count(_ => Submit(good) == TurnError.None);
        Assert.InRange(accepted, 1, 3);
        Assert.Equal(TurnError.Overloaded, Submit(good));
    }

    [Fact]
    public async Task AReplyEndsAtAStopTokenAtItsLengthAndAtTheContextsEnd()
    {
        await using var harness = new Harness(blocks: 20);
        var request = Harness.Request("a", Harness.Tokens(1, 100), 1000);
        var whole = await harness.RunAsync(request);
        Assert.Equal((60, FinishReason.Length), (whole.Tokens.Length, whole.Last.Reason));
        var stopped = await harness.RunAsync(request with { StopTokens = [whole.Tokens[5]] });
        Assert.Equal((6, FinishReason.Stop), (Array.IndexOf(whole.Tokens, whole.Tokens[5]) + 1, stopped.Last.Reason));
        Assert.Equal(whole.Tokens[..stopped.Tokens.Length], stopped.Tokens);
    }

    [Fact]
    public async Task DisposalGivesEveryAcceptedRequestItsOneLastChunk()
    {
        var harness = new Harness(options: new EngineOptions { MaxSequences = 2 });
        var readers = Enumerable.Range(0, 8).Select(i => harness.Submit(Harness.Request($"c{i}", [1, 2, i], 4000))).ToArray();
        await harness.DisposeAsync();
        foreach (var reader in readers)
        {
            Assert.Equal(TurnError.Draining, (await Harness.ReadAsync(reader)).Last.Failure!.Error);
        }

        Assert.Equal(TurnError.Draining, harness.Engine.TrySubmit(Harness.Request("x", [1]), out _));
    }

    [Fact]
    public async Task DrainingWaitsForTheRepliesUnderWay()
    {
        await using var harness = new Harness();
        harness.Runner.Gate.Reset();
        var reply = harness.RunAsync(Harness.Request("a", [1, 2, 3]));
        var drained = harness.Engine.DrainAsync(TestContext.Current.CancellationToken);
        Assert.False(drained.IsCompleted);
        Assert.Equal(TurnError.Draining, harness.Engine.TrySubmit(Harness.Request("b", [1]), out _));
        harness.Runner.Gate.Set();
        await drained;
        Assert.Equal(TokenChunkKind.Finished, (await reply).Last.Kind);
        Assert.NotNull(await harness.Engine.ExportAsync(new CacheId("a"), 0, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task AFloodOfOneTenantPushesOutItsOwnCachesFirst()
    {
        await using var harness = new Harness(blocks: 64, hostBytes: 0);
        var prompt = Harness.Tokens(1, 60);
        await harness.RunAsync(Harness.Request("victim", prompt, 1) with { Scope = "victim" });
        for (var i = 0; i < 40; i++)
        {
            await harness.RunAsync(Harness.Request($"flood {i}", Harness.Tokens(100 + i, 100), 1) with { Scope = "flood" });
        }

        var reply = await harness.RunAsync(Harness.Request("victim", [.. prompt, 1, 2], 1) with { Scope = "victim" });
        Assert.Equal((CacheOrigin.Hit, 60), (reply.Admitted.Cache, reply.Admitted.CachedTokens));
    }

    [Fact]
    public async Task DecodingAllocatesNothing()
    {
        await using var harness = new Harness(context: 2048);
        harness.Runner.MeasuresAllocation = true;
        var request = Harness.Request("a", Harness.Tokens(1, 20), 1500);
        var chunks = harness.Submit(request);
        Assert.Equal(FinishReason.Length, (await LastAsync(chunks)).Reason);
        Assert.Equal(1500, harness.Runner.Steps);

        // The reply's channel grows to its bound once; nothing else may.
        Assert.InRange(harness.Runner.BytesAllocated, 0, 64 << 10);
    }

    [Fact]
    public async Task AnUnusableRowOfLogitsFailsItsSequenceAndLeavesNothingFindable()
    {
        await using var harness = new Harness();
        var prompt = Harness.Tokens(1, 40);
        harness.Runner.Spoils = true;
        var reply = await harness.RunAsync(Harness.Request("a", prompt));
        Assert.Equal(TurnError.Internal, reply.Last.Failure!.Error);
        harness.Runner.Spoils = false;
        var next = await harness.RunAsync(Harness.Request("b", prompt));
        Assert.Equal((CacheOrigin.New, 0), (next.Admitted.Cache, next.Admitted.CachedTokens));
    }

    [Fact]
    public async Task TwoRepliesOfOneConversationAtOnceDoNotDisturbEachOther()
    {
        await using var harness = new Harness();
        harness.Runner.Gate.Reset();
        TokenRequest[] requests = [.. Enumerable.Range(0, 4).Select(i => Harness.Request("same", Harness.Tokens(i % 2, 40 + i)))];
        var readers = requests.Select(harness.Submit).ToArray();
        harness.Runner.Gate.Set();
        for (var i = 0; i < requests.Length; i++)
        {
            Assert.Equal(await Harness.AloneAsync(requests[i]), (await Harness.ReadAsync(readers[i])).Tokens);
        }

        await harness.DropAsync("same");
        Assert.Equal(0, harness.Engine.Memory.Pool.Used);
    }

    [Fact]
    public async Task TheMeterShowsWhatTheEngineDid()
    {
        await using var harness = new Harness();
        var values = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "Hearth.Engine")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>(
            (instrument, value, _, _) => values.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value));
        listener.Start();
        await harness.RunAsync(Harness.Request("a", Harness.Tokens(1, 40)));
        listener.RecordObservableInstruments();
        Assert.True(values["vllm.generation_tokens"] >= 24);
        Assert.True(values["vllm.prompt_tokens"] >= 40);
        Assert.True(values["hearth.kv.blocks"] >= 256);
        Assert.Contains("vllm.num_requests_waiting", values.Keys);
    }

    [Fact]
    public void OptionsOutOfBoundsAreNamed()
    {
        static string Message(EngineOptions options) => Assert.Throws<ArgumentException>(options.Validate).Message;
        Assert.Contains("MaxBatchTokens must be MaxSequences", Message(new EngineOptions { MaxBatchTokens = 64 }));
        Assert.Contains("KvMemoryBytes", Message(new EngineOptions { KvMemoryBytes = 0 }));
        Assert.Contains("HostMemoryBytes", Message(new EngineOptions { HostMemoryBytes = -1 }));
        Assert.Contains("MaxQueue", Message(new EngineOptions { MaxQueue = 0 }));
        Assert.Contains("Threads", Message(new EngineOptions { Threads = -1 }));
        new EngineOptions().Validate();
    }

    static async Task<FakeSpill> SpillAsync(int seed)
    {
        await using var harness = new Harness();
        var prompt = Harness.Tokens(seed, 150);
        await harness.RunAsync(Harness.Request("a", prompt, 1));
        var spill = await harness.ExportAsync("a", prompt);
        return new FakeSpill
        {
            Tokens = spill.Tokens,
            Chunks = spill.Chunks,
            BeforeRead = async (_, cancellation) =>
            {
                await Task.Yield();
                cancellation.ThrowIfCancellationRequested();
            },
        };
    }

    static async Task<TokenChunk> LastAsync(ChannelReader<TokenChunk> chunks) =>
        await chunks.ReadAllAsync(TestContext.Current.CancellationToken).LastAsync(TestContext.Current.CancellationToken);

    static async Task FullAsync(ChannelReader<TokenChunk> chunks)
    {
        while (chunks.Count < Limits.ChunksUnreadMax)
        {
            await Task.Yield();
        }
    }

    [Fact]
    public async Task OfADroppedConversationNothingIsFoundWhateverItsHistoryWas()
    {
        await using var harness = new Harness();
        var prompt = Harness.Tokens(1, 50);
        await harness.RunAsync(Harness.Request("other", prompt[..8]));
        // Its end was written anew again and again: each attempt's blocks were left findable.
        for (var i = 0; i < 5; i++)
        {
            await harness.RunAsync(Harness.Request("a", [.. prompt, 200 + i, .. Harness.Tokens(2 + i, 30)]));
        }

        await harness.DropAsync("a");
        var again = await harness.RunAsync(Harness.Request("b", [.. prompt, 9]));
        Assert.Equal((CacheOrigin.Hit, 8), (again.Admitted.Cache, again.Admitted.CachedTokens));
    }
}
