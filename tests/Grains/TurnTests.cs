using Hearth.Actors;
using Hearth.Contracts;
using Xunit;
using static Hearth.Grains.Tests.Silo;

namespace Hearth.Grains.Tests;

public sealed class TurnTests
{
    [Fact]
    public async Task TheSecondTurnContinuesTheFirstOnesTokens()
    {
        await using var silo = Start();
        silo.Says("hello world", "fine");
        var first = await silo.RunAsync(Turn("t1", "hi"));
        Assert.Equal("hello world", TextOf(first));
        Assert.Equal(Enumerable.Range(0, first.Count), first.Select(e => e.Sequence));
        var started = Assert.IsType<TurnStarted>(first[0]);
        Assert.Equal(CacheOrigin.New, started.Cache);
        Assert.Contains(first, e => e is ChoiceFinished { Reason: FinishReason.Stop });

        var second = await silo.RunAsync(Turn("t2", "and now?"));
        Assert.Equal("fine", TextOf(second));
        var expected = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello world<|im_end|>\n"
            + "<|im_start|>user\nand now?<|im_end|>\n<|im_start|>assistant\n";
        Assert.Equal(silo.Tokenizer.Encode(expected, false), silo.LastPrompt);
        started = Assert.IsType<TurnStarted>(second[0]);
        Assert.Equal(CacheOrigin.Hit, started.Cache);
        // All of the first prompt and reply but the last token, whose keys and values nothing had needed yet.
        var reply = silo.Tokenizer.EncodePlain("hello world", false);
        Assert.Equal(((TurnStarted)first[0]).PromptTokens + reply.Length, started.CachedTokens);
        Assert.Equal(2, (await silo.DescribeAsync())!.Turns);
    }

    [Fact]
    public async Task ACommittedTurnIsReplayedEventByEventAndNotRunAgain()
    {
        await using var silo = Start();
        silo.Says("hello world");
        var first = await silo.RunAsync(Turn("t1", "hi"));
        var again = await silo.RunAsync(Turn("t1", "hi"));
        Assert.Single(silo.Engine.Requests);
        Assert.True(Assert.IsType<TurnFinished>(again[^1]).Replayed);
        Assert.Equal(first.SkipLast(1).Select(e => e.ToString()), again.SkipLast(1).Select(e => e.ToString()));
        Assert.Equal(TurnError.IdempotencyConflict, await silo.FailAsync(Turn("t1", "hi") with { BodyHash = "other" }));
        Assert.Equal(1, (await silo.DescribeAsync())!.Turns);
    }

    [Fact]
    public async Task ManyDuplicatesAtOnceRunOnceAndAllSeeEverything()
    {
        await using var silo = Start();
        silo.Says("hello world");
        var all = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => silo.RunAsync(Turn("t1", "hi"))));
        Assert.Single(silo.Engine.Requests);
        Assert.All(all, events => Assert.Equal("hello world", TextOf(events)));
        Assert.All(all, events => Assert.Equal(Enumerable.Range(0, events.Count), events.Select(e => e.Sequence)));
    }

    [Fact]
    public async Task WhoComesLateToARunningTurnGetsItsEventsFromTheFirstOn()
    {
        await using var silo = Start();
        silo.Says("hello world");
        var (half, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        silo.Engine.BeforeToken = async (_, i) =>
        {
            if (i != 1)
                return;
            half.SetResult();
            await goOn.Task;
        };
        var first = silo.RunAsync(Turn("t1", "hi"));
        await half.Task;
        Assert.Equal(TurnError.IdempotencyConflict, await silo.FailAsync(Turn("t1", "hi") with { BodyHash = "other" }));
        Assert.Equal("running", (await silo.DescribeAsync())!.State);
        var late = silo.RunAsync(Turn("t1", "hi"));
        goOn.SetResult();
        Assert.Equal((await first).Select(e => e.ToString()), (await late).Select(e => e.ToString()));
        Assert.Single(silo.Engine.Requests);
    }

    [Fact]
    public async Task ATurnWhoseLastReaderLeavesIsCancelledAndLeavesNothing()
    {
        await using var silo = Start();
        silo.Says("hello world");
        silo.Engine.BeforeToken = (request, i) => i == 1 ? UntilCancelledAsync(request) : Task.CompletedTask;
        await foreach (var e in silo.Cluster.RunTurnAsync(Turn("t1", "hi"), Stop))
        {
            if (e is TurnDelta)
                break;
        }
        silo.Engine.BeforeToken = (_, _) => Task.CompletedTask;
        // The next turn runs after it: the engine has let go and the transcript is as before.
        Assert.Equal("hello world", await silo.SayAsync(Turn("t2", "other")));
        Assert.Equal(1, silo.Engine.Cancelled);
        Assert.Equal(silo.Tokenizer.Encode("<|im_start|>user\nother<|im_end|>\n<|im_start|>assistant\n", false), silo.LastPrompt);
        Assert.Equal("hello world", await silo.SayAsync(Turn("t1", "hi")));
        Assert.Equal(2, (await silo.DescribeAsync())!.Turns);
    }

    [Fact]
    public async Task AStopStringEndsTheReplyAndIsNotPartOfIt()
    {
        await using var silo = Start();
        silo.Says("hello world STOP and more", "fine");
        var turn = Turn("t1", "hi") with { Generation = new GenerationOptions { Stop = ["ld ST", "never"] } };
        var events = await silo.RunAsync(turn);
        Assert.Equal("hello wor", TextOf(events));
        Assert.Contains(events, e => e is ChoiceFinished { Reason: FinishReason.Stop });
        Assert.Equal(1, silo.Engine.Cancelled);
        Assert.Equal("fine", await silo.SayAsync(Turn("t2", "go on")));
        var expected = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello wor<|im_end|>\n"
            + "<|im_start|>user\ngo on<|im_end|>\n<|im_start|>assistant\n";
        Assert.Equal(silo.Tokenizer.Encode(expected, false), silo.LastPrompt);
    }

    [Fact]
    public async Task ACodePointIsShownWhole()
    {
        await using var silo = Start();
        silo.Says("a\U0001F525é漢");
        var events = await silo.RunAsync(Turn("t1", "hi"));
        Assert.Equal(["a", "\U0001F525", "é", "漢"], events.OfType<TurnDelta>().Select(d => d.Text));
    }

    [Fact]
    public async Task AReplyCutByTheTokenLimitIsIncompleteAndStaysExact()
    {
        await using var silo = Start();
        silo.Says("hello world", "fine");
        var events = await silo.RunAsync(Turn("t1", "hi") with { Generation = new GenerationOptions { MaxTokens = 1 } });
        Assert.Contains(events, e => e is ChoiceFinished { Reason: FinishReason.Length });
        Assert.Equal("hello", TextOf(events));
        await silo.SayAsync(Turn("t2", "go on"));
        Assert.Contains("hello<|im_end|>", silo.Tokenizer.Decode(silo.LastPrompt, false), StringComparison.Ordinal);
    }

    [Fact]
    public async Task FurtherChoicesStartAfterTheFirstTokenAndOnlyTheFirstChoiceStays()
    {
        await using var silo = Start();
        var requestsAtSecondToken = 0;
        silo.Engine.Script = r => [.. silo.Tokenizer.EncodePlain($"hello {r.Sampling.Seed}", false), silo.Eos];
        silo.Engine.BeforeToken = (r, i) =>
        {
            if (i == 0 && r.Keep)
                requestsAtSecondToken = silo.Engine.Requests.Count;
            return Task.CompletedTask;
        };
        var options = new GenerationOptions { Choices = 3, Sampling = new SamplingOptions { Seed = 7 }, Logprobs = true };
        var events = await silo.RunAsync(Turn("t1", "hi") with { Generation = options });
        Assert.Equal(1, requestsAtSecondToken);
        Assert.Equal(["hello 7", "hello 8", "hello 9"], Enumerable.Range(0, 3).Select(i => TextOf(events, i)));
        Assert.Equal([true, false, false], silo.Engine.Requests.Select(r => r.Keep));
        Assert.Equal(3, silo.Engine.Requests.Select(r => r.Cache).Distinct().Count());
        var shown = events.OfType<TurnDelta>().Sum(d => d.Logprobs.Count);
        Assert.Equal(((TurnFinished)events[^1]).Usage.CompletionTokens - 3, shown);
        silo.Says("fine");
        await silo.SayAsync(Turn("t2", "more"));
        Assert.Contains("hello 7", silo.Tokenizer.Decode(silo.LastPrompt, false), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RefusalsAreToldAndLeaveTheConversationAsItWas()
    {
        await using var silo = Start();
        silo.Says("hello");
        Assert.Equal(TurnError.ModelNotFound, await silo.FailAsync(Turn("t1", "hi") with { Model = "other" }));
        Assert.Equal(TurnError.InvalidRequest, await silo.FailAsync(Turn("t2", [MessageItem.Of(Role.Tool, "x")])));
        Assert.Equal(TurnError.ContextLengthExceeded, await silo.FailAsync(Turn("t3", new string('x', 3000))));
        silo.Engine.Refusal = TurnError.Overloaded;
        Assert.Equal(TurnError.Overloaded, await silo.FailAsync(Turn("t4", "hi")));
        Assert.Null(await silo.Store.FindOperationAsync(new GrainId(TenantId.Local.Value, "c1"), "t4", Stop));
        silo.Engine.Refusal = TurnError.None;
        Assert.Equal("hello", await silo.SayAsync(Turn("t4", "hi")));
        Assert.Equal(silo.Tokenizer.Encode("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", false), silo.LastPrompt);
        silo.Engine.Refusal = TurnError.Overloaded;
        Assert.Equal("hello", await silo.SayAsync(Turn("t4", "hi")));
    }

    [Fact]
    public async Task ABurstIsRefusedAtTheDoorNotAfterTheWork()
    {
        using var arrived = new SemaphoreSlim(0);
        var goOn = new TaskCompletionSource();
        await using var silo = Start(store => new FaultyStore(store)
        {
            BeforeBegin = () =>
            {
                arrived.Release();
                return goOn.Task;
            },
        });
        silo.Says("hello");
        silo.Engine.MaxQueue = 3;
        ChatTurn One(string id) => Turn(id, "hi") with { Conversation = new ConversationId(id) };
        var burst = Enumerable.Range(0, 3).Select(i => silo.RunAsync(One($"t{i}"))).ToList();
        for (var i = 0; i < burst.Count; i++)
            await arrived.WaitAsync(Stop);
        Assert.Equal(TurnError.Overloaded, await silo.FailAsync(One("t3"))); // the engine has seen none of them yet
        Assert.Null(await silo.Store.LocateAsync(new GrainId(TenantId.Local.Value, "t3"), Stop));
        goOn.SetResult();
        Assert.All(await Task.WhenAll(burst), events => Assert.IsType<TurnFinished>(events[^1]));
        for (var i = 4; i < 9; i++)
            Assert.Equal("hello", await silo.SayAsync(One($"t{i}"))); // each gave its place back
    }

    [Fact]
    public async Task TooManyWaitingTurnsAreRefused()
    {
        await using var silo = Start();
        silo.Says("hello");
        var (running, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        silo.Engine.BeforeToken = (_, _) =>
        {
            running.TrySetResult();
            return goOn.Task;
        };
        var first = silo.RunAsync(Turn("t", "hi"));
        await running.Task;
        var waiting = Enumerable.Range(0, Actors.Limits.MailboxMessages)
            .Select(i => silo.RunAsync(Turn($"t{i}", $"{i}"))).ToList();
        Assert.Equal(TurnError.ConversationBusy, await silo.FailAsync(Turn("one more", "hi")));
        goOn.SetResult();
        Assert.All(await Task.WhenAll(waiting), events => Assert.IsType<TurnFinished>(events[^1]));
        Assert.IsType<TurnFinished>((await first)[^1]);
    }

    [Fact]
    public async Task UserTextNeverBecomesAControlToken()
    {
        await using var silo = Start();
        silo.Says("hello");
        await silo.SayAsync(Turn("t1", "<|im_end|>"));
        Assert.Equal(1, silo.LastPrompt.Count(t => t == silo.Eos));
    }

    [Fact]
    public async Task ACompletionRunsWithoutAConversation()
    {
        await using var silo = Start();
        silo.Says("hello world");
        var turn = new CompletionTurn
        {
            Id = new TurnId("t1"),
            Tenant = TenantId.Local,
            Model = TinyModel.Name,
            Prompt = "once<|im_end|>",
            Generation = new GenerationOptions { Choices = 2 },
        };
        var events = new List<TurnEvent>();
        await foreach (var e in silo.Cluster.RunCompletionAsync(turn, Stop))
            events.Add(e);
        Assert.Equal("hello world", TextOf(events, 1));
        Assert.IsType<TurnFinished>(events[^1]);
        Assert.Equal(silo.Eos, silo.LastPrompt[^1]);
        Assert.All(silo.Engine.Requests, r => Assert.False(r.Keep));
        Assert.Empty(await silo.Cluster.ListConversationsAsync(TenantId.Local, 10, Stop));
        events.Clear();
        await foreach (var e in silo.Cluster.RunCompletionAsync(turn with { Prompt = null, PromptTokens = [100_000] }, Stop))
            events.Add(e);
        Assert.Equal(TurnError.InvalidRequest, Assert.IsType<TurnFailed>(Assert.Single(events)).Failure.Error);
    }
}
