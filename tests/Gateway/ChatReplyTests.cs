using System.Text.RegularExpressions;
using Hearth.Contracts;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>Whole replies, their headers, and the way from a request to its conversation.</summary>
public sealed partial class ChatReplyTests
{
    [Fact]
    public async Task AWholeReplyHasOpenAIsShape()
    {
        await using var server = await GatewayServer.StartAsync(time: new ManualTime());
        server.Cluster.Play = (_, _) => ScriptedCluster.Events(ScriptedCluster.Reply(2, "Hello", "\n\"world\""));
        using var reply = await server.ChatAsync("""{"model":"demo","n":2,"messages":[{"role":"user","content":"Hi"}]}""");

        Assert.Equal("application/json", reply.Content.Headers.ContentType!.ToString());
        Assert.Equal("""{"id":"ID","object":"chat.completion","created":1767225600,"model":"demo","choices":["""
            + """{"index":0,"message":{"role":"assistant","content":"Hello\n\"world\"","refusal":null}"""
            + ""","logprobs":null,"finish_reason":"stop"},"""
            + """{"index":1,"message":{"role":"assistant","content":"Hello\n\"world\"","refusal":null}"""
            + ""","logprobs":null,"finish_reason":"length"}"""
            + """],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12"""
            + ""","prompt_tokens_details":{"cached_tokens":4}}}""",
            Id().Replace(await reply.TextAsync(), "ID"));
    }

    [Theory]
    [InlineData(GatewayServer.Hello)]
    [InlineData(GatewayServer.HelloStream)]
    public async Task EveryTurnSaysWhereItRanAndWhatTheCacheDid(string body)
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.ChatAsync(body, ("X-Client-Request-Id", "mine-1"));
        Assert.Equal("mine-1", reply.Header("x-request-id"));
        Assert.Equal("conv_1", reply.Header("x-hearth-conversation"));
        Assert.Equal("hit", reply.Header("x-hearth-cache"));
        Assert.Equal("edited??history", reply.Header("x-hearth-cache-reason"));
        Assert.Equal("silo-a", reply.Header("x-hearth-silo"));
        Assert.Equal("turn_1", reply.Header("x-hearth-turn"));
        Assert.True(long.Parse(reply.Header("openai-processing-ms"), System.Globalization.CultureInfo.InvariantCulture) >= 0);
        Assert.Equal("nosniff", reply.Header("X-Content-Type-Options"));
        Assert.False(reply.Headers.Contains("Server"));
    }

    [Theory]
    [InlineData("has space")]
    [InlineData("<script>")]
    [InlineData("")]
    public async Task ABadRequestIdIsReplaced(string given)
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.ChatAsync(GatewayServer.Hello, ("X-Client-Request-Id", given));
        Assert.Matches("^req_[0-9a-f]{32}$", reply.Header("x-request-id"));
    }

    [Theory]
    [InlineData(TurnError.InvalidRequest, 400, "invalid_value")]
    [InlineData(TurnError.ContextLengthExceeded, 400, "context_length_exceeded")]
    [InlineData(TurnError.TemplateFailed, 400, "template_failed")]
    [InlineData(TurnError.ModelNotFound, 404, "model_not_found")]
    [InlineData(TurnError.ConversationNotFound, 404, "not_found")]
    [InlineData(TurnError.IdempotencyConflict, 409, "idempotency_conflict")]
    [InlineData(TurnError.ConversationMoved, 409, "conversation_moved")]
    [InlineData(TurnError.ConversationBusy, 409, "conversation_busy")]
    [InlineData(TurnError.Cancelled, 409, "turn_cancelled")]
    [InlineData(TurnError.Overloaded, 503, "overloaded")]
    [InlineData(TurnError.ModelLoading, 503, "model_loading")]
    [InlineData(TurnError.Draining, 503, "draining")]
    [InlineData(TurnError.Fenced, 503, "owner_moving")]
    [InlineData(TurnError.StoreUnavailable, 503, "store_unavailable")]
    [InlineData(TurnError.DeadlineExceeded, 504, "deadline_exceeded")]
    [InlineData(TurnError.OutcomeUnknown, 500, "turn_outcome_unknown")]
    [InlineData(TurnError.Internal, 500, "internal_error")]
    public async Task EveryCauseHasItsStatus(TurnError error, int status, string code)
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Play = (_, _) => ScriptedCluster.Events([ScriptedCluster.Failed(error, "because")]);
        foreach (var body in new[] { GatewayServer.Hello, GatewayServer.HelloStream })
        {
            using var reply = await server.ChatAsync(body);
            Assert.Equal((status, code, null), await reply.ErrorAsync());
            Assert.Equal(status == 503 || error == TurnError.ConversationBusy, reply.Headers.Contains("Retry-After"));
        }
    }

    [Fact]
    public void NoCauseIsForgotten() => Assert.All(Enum.GetValues<TurnError>().Except([TurnError.None, TurnError.Internal]),
        error => Assert.NotEqual("internal_error", ApiError.Of(new TurnFailure(error, "x")).Code));

    [Fact]
    public async Task AnUnknownOutcomeMayBeTriedAgainOnlyWithAKey()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Play = (_, _) => ScriptedCluster.Events([ScriptedCluster.Failed(TurnError.OutcomeUnknown)]);
        using var plain = await server.ChatAsync(GatewayServer.Hello);
        Assert.Equal("false", plain.Header("x-should-retry"));
        using var keyed = await server.ChatAsync(GatewayServer.Hello, ("Idempotency-Key", "k1"));
        Assert.Equal("true", keyed.Header("x-should-retry"));
    }

    [Fact]
    public async Task ANamedConversationGetsTheMessagesAsNewOnes()
    {
        await using var server = await GatewayServer.StartAsync();
        foreach (var conversation in new[] { "\"mine\"", "{\"id\":\"mine\"}" })
        {
            using var reply = await server.ChatAsync(
                $$"""{"model":"demo","conversation":{{conversation}},"messages":[{"role":"user","content":"Hi"}]}""",
                ("X-Session-ID", "ignored"));
            Assert.True(server.Cluster.Turns.TryDequeue(out var turn));
            Assert.Equal((new ConversationId("mine"), HistoryMode.Append), (turn.Conversation, turn.History));
            Assert.Matches("^[0-9a-f]{64}$", turn.BodyHash);
        }
    }

    [Fact]
    public async Task ASessionHeaderLeadsToOneConversation()
    {
        await using var server = await GatewayServer.StartAsync();
        (string, string)[] headers =
            [("X-Session-ID", "s 1/x"), ("X-Session-ID", "s 1/x"), ("x-conversation-id", "s2"), ("session-id", "s2")];
        foreach (var (header, value) in headers)
        {
            using var reply = await server.ChatAsync(GatewayServer.Hello, (header, value));
        }
        var turns = server.Cluster.Turns.ToArray();
        Assert.All(turns, t => Assert.Matches("^conv_[0-9a-f]{32}$", t.Conversation.Value));
        Assert.All(turns, t => Assert.Equal(HistoryMode.Whole, t.History));
        Assert.Equal(turns[0].Conversation, turns[1].Conversation);
        Assert.NotEqual(turns[1].Conversation, turns[2].Conversation);
        Assert.Equal(turns[2].Conversation, turns[3].Conversation);
    }

    const string SecondTurn = """
        {"model":"demo","messages":[{"role":"system","content":"S"},{"role":"user","content":"Hi"},
         {"role":"assistant","content":[{"type":"text","text":"Hel"},{"type":"text","text":"lo"}]},
         {"role":"user","content":"And?"}]}
        """;

    static readonly string s_firstHistory = HistoryHash.Of("demo",
        [MessageItem.Of(Role.System, "S"), MessageItem.Of(Role.User, "Hi"), MessageItem.Of(Role.Assistant, "Hello")]);

    [Fact]
    public async Task AHistorySentAgainFindsItsConversation()
    {
        await using var server = await GatewayServer.StartAsync();
        using var unknown = await server.ChatAsync(SecondTurn);
        server.Cluster.Histories[s_firstHistory] = new ConversationId("known");
        using var known = await server.ChatAsync(SecondTurn);
        var turns = server.Cluster.Turns.ToArray();
        Assert.Equal(HistoryMode.Whole, turns[0].History);
        Assert.Equal((new ConversationId("known"), HistoryMode.WholeFound), (turns[1].Conversation, turns[1].History));
        Assert.Equal(4, turns[1].Items.Count);
    }

    [Fact]
    public async Task AConversationThatHasMovedOnIsLeftForANewOneOnce()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Histories[s_firstHistory] = new ConversationId("known");
        server.Cluster.Play = (turn, _) => ScriptedCluster.Events(turn.History == HistoryMode.WholeFound
            ? [ScriptedCluster.Failed(TurnError.ConversationMoved)] : ScriptedCluster.Reply("new"));
        using var reply = await server.ChatAsync(SecondTurn);
        Assert.Equal(200, (int)reply.StatusCode);
        var turns = server.Cluster.Turns.ToArray();
        Assert.Equal(2, turns.Length);
        Assert.Equal(HistoryMode.Whole, turns[1].History);
        Assert.NotEqual(turns[0].Conversation, turns[1].Conversation);

        server.Cluster.Play = (_, _) => ScriptedCluster.Events([ScriptedCluster.Failed(TurnError.ConversationMoved)]);
        using var again = await server.ChatAsync(SecondTurn);
        Assert.Equal((409, "conversation_moved", null), await again.ErrorAsync());
        Assert.Equal(4, server.Cluster.Turns.Count);
    }

    [Fact]
    public async Task TheSameIdempotencyKeyMeetsTheSameTurnOfTheSameConversation()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Histories[s_firstHistory] = new ConversationId("moves-on-after-the-first-try");
        foreach (var key in new[] { "k-1", "k-1", "with space", "with space" })
        {
            using var reply = await server.ChatAsync(SecondTurn, ("Idempotency-Key", key));
        }
        var turns = server.Cluster.Turns.ToArray();
        Assert.Equal("k-1", turns[0].Id.Value);
        Assert.Equal((turns[0].Id, turns[0].Conversation), (turns[1].Id, turns[1].Conversation));
        Assert.Equal((turns[2].Id, turns[2].Conversation), (turns[3].Id, turns[3].Conversation));
        Assert.True(ConversationId.IsValid(turns[2].Id.Value));
        Assert.NotEqual(turns[0].Conversation, turns[2].Conversation);
    }

    [Fact]
    public async Task EveryOptionReachesTheTurn()
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.ChatAsync("""
            {"model":"demo","messages":[{"role":"developer","content":"d","name":"bob"},
              {"role":"assistant","content":null,
               "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
              {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"42"}]},{"role":"user","content":"u"}],
             "temperature":0.5,"top_p":0.9,"top_k":-1,"min_p":0.1,"repetition_penalty":1.1,
             "frequency_penalty":-2,"presence_penalty":2,
             "logit_bias":{"7":-100},"seed":-5,"logprobs":true,"top_logprobs":20,"max_tokens":9,
             "max_completion_tokens":8,"stop":["a","b"],
             "ignore_eos":true,"cache":"offloaded","n":3,"chat_template_kwargs":{"enable_thinking":false},"cache_salt":"salt","tool_choice":"none",
             "tools":[{"type":"function","function":{"name":"f"}}]}
            """);
        Assert.Equal(200, (int)reply.StatusCode);
        var turn = Assert.Single(server.Cluster.Turns);
        Assert.Equal("bob", Assert.IsType<MessageItem>(turn.Items[0]).Name);
        Assert.Equal(new FunctionCallItem { CallId = "c1", Name = "f", Arguments = "{}" }, turn.Items[1]);
        Assert.Equal(new FunctionCallOutputItem { CallId = "c1", Output = "42" }, turn.Items[2]);
        var sampling = turn.Generation.Sampling;
        Assert.Equal(-100, Assert.Single(sampling.LogitBias!).Value);
        Assert.Equal(new SamplingOptions
        {
            Temperature = 0.5f,
            TopP = 0.9f,
            MinP = 0.1f,
            RepetitionPenalty = 1.1f,
            FrequencyPenalty = -2,
            PresencePenalty = 2,
            Seed = -5,
            TopLogprobs = 20,
            LogitBias = sampling.LogitBias,
        }, sampling);
        Assert.Equal((8, true, 3, true, "salt"), (turn.Generation.MaxTokens, turn.Generation.IgnoreEos, turn.Generation.Choices,
            turn.Generation.Logprobs, turn.CacheSalt));
        Assert.Equal(["a", "b"], turn.Generation.Stop);
        Assert.Equal(CacheKind.Offloaded, turn.Generation.Cache);
        Assert.False(turn.TemplateArguments!["enable_thinking"].GetBoolean());
    }

    [Theory]
    [InlineData("\"use_cache\":false", CacheKind.None)]
    [InlineData("\"use_cache\":true", CacheKind.Default)]
    [InlineData("\"cache\":\"static\"", CacheKind.Static)]
    public async Task TheKindOfCacheReachesTheTurn(string field, CacheKind kind)
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.ChatAsync($$"""{"model":"demo","messages":[{"role":"user","content":"u"}],{{field}}}""");
        Assert.Equal(200, (int)reply.StatusCode);
        Assert.Equal(kind, Assert.Single(server.Cluster.Turns).Generation.Cache);
    }

    [GeneratedRegex("chatcmpl-[0-9a-f]{32}")]
    private static partial Regex Id();
}
