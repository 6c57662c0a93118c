using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hearth.Contracts;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>What there is beside chat.</summary>
public sealed partial class EndpointTests
{
    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ACompletionHasOpenAIsShape()
    {
        await using var server = await GatewayServer.StartAsync(time: new ManualTime());
        server.Cluster.PlayCompletion = turn =>
            ScriptedCluster.Reply(turn.Generation.Choices, "<" + (turn.Prompt ?? "tokens") + ">");
        using var reply = await server.PostAsync("/v1/completions", """{"model":"demo","prompt":["a","b"],"n":2,"seed":1}""");
        Assert.Equal("""{"id":"ID","object":"text_completion","created":1767225600,"model":"demo","choices":["""
            + """{"index":0,"text":"<a>","logprobs":null,"finish_reason":"stop"},"""
            + """{"index":1,"text":"<a>","logprobs":null,"finish_reason":"length"},"""
            + """{"index":2,"text":"<b>","logprobs":null,"finish_reason":"stop"},"""
            + """{"index":3,"text":"<b>","logprobs":null,"finish_reason":"length"}"""
            + """],"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22"""
            + ""","prompt_tokens_details":{"cached_tokens":8}}}""",
            Id().Replace(await reply.TextAsync(), "ID"));
        Assert.All(server.Cluster.Completions, turn => Assert.Equal(16, turn.Generation.MaxTokens));
        Assert.Equal(2, server.Cluster.Completions.Select(turn => turn.Id).Distinct().Count());
    }

    [Fact]
    public async Task ACompletionStreamsItsTextAndLogprobs()
    {
        await using var server = await GatewayServer.StartAsync(time: new ManualTime());
        server.Cluster.PlayCompletion = _ =>
        [
            ScriptedCluster.Started(""),
            new TurnDelta { Text = "ab", Logprobs = [new TokenLogprob("ab", [97, 98], -1, [])] },
            new TurnDelta { Text = "c", Logprobs = [new TokenLogprob("c", [99], -2, [new AlternativeLogprob("d", [100], -3)])] },
            new ChoiceFinished { Reason = FinishReason.Stop },
            new TurnFinished { Usage = new Usage(1, 2, 0) },
        ];
        using var reply = await server.PostAsync("/v1/completions",
            """{"model":"demo","prompt":[5,6],"logprobs":1,"stream":true}""");
        const string Start = """data: {"id":"ID","object":"text_completion","created":1767225600"""
            + ",\"model\":\"demo\",\"choices\":[{\"index\":0,";
        Assert.Equal(Start + """
            "text":"ab","logprobs":{"tokens":["ab"],"token_logprobs":[-1],"top_logprobs":[{}],"text_offset":[0]}
            """ + ""","finish_reason":null}]}""" + "\n\n" + Start + """
            "text":"c","logprobs":{"tokens":["c"],"token_logprobs":[-2],"top_logprobs":[{"d":-3}],"text_offset":[2]}
            """ + ""","finish_reason":null}]}""" + "\n\n" + Start + """
            "text":"","logprobs":null,"finish_reason":"stop"}]}
            """ + "\n\ndata: [DONE]\n\n", Id().Replace(await reply.TextAsync(), "ID"));
        Assert.False(reply.Headers.Contains("x-hearth-conversation"));
        Assert.Equal([5, 6], Assert.Single(server.Cluster.Completions).PromptTokens);
    }

    [Theory]
    [InlineData("", "prompt")]
    [InlineData(",\"prompt\":\"\"", "prompt")]
    [InlineData(",\"prompt\":[]", "prompt")]
    [InlineData(",\"prompt\":[1,\"a\"]", "prompt[1]")]
    [InlineData(",\"prompt\":[1,1000]", "prompt[1]")]
    [InlineData(",\"prompt\":[[1],[-1]]", "prompt[1][0]")]
    [InlineData(",\"prompt\":[[]]", "prompt[0]")]
    [InlineData(",\"prompt\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]", "prompt")]
    [InlineData(",\"prompt\":\"a\",\"echo\":true", "echo")]
    [InlineData(",\"prompt\":\"a\",\"suffix\":\"b\"", "suffix")]
    [InlineData(",\"prompt\":\"a\",\"logprobs\":21", "logprobs")]
    [InlineData(",\"prompt\":\"a\",\"best_of\":3", "best_of")]
    public async Task ABadCompletionIsNamed(string rest, string param)
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.PostAsync("/v1/completions", $$"""{"model":"demo"{{rest}}}""");
        Assert.Equal((400, "invalid_value", param), await reply.ErrorAsync());
    }

    [Fact]
    public async Task APromptThatFailsFailsTheCompletion()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.PlayCompletion = turn => turn.Prompt == "b"
            ? [ScriptedCluster.Started(""), new TurnDelta { Text = "x" }]
            : ScriptedCluster.Reply("y");
        using var reply = await server.PostAsync("/v1/completions", """{"model":"demo","prompt":["a","b","c"]}""");
        Assert.Equal((500, "internal_error", null), await reply.ErrorAsync());
    }

    [Theory]
    [InlineData("/tokenize", """{"prompt":"AB"}""", """{"count":3,"max_model_len":2048,"tokens":[1,65,66],"token_strs":null}""")]
    [InlineData("/tokenize", """{"model":"demo","prompt":"AB","add_special_tokens":false}""",
        """{"count":2,"max_model_len":2048,"tokens":[65,66],"token_strs":null}""")]
    [InlineData("/tokenize", """{"messages":[{"role":"user","content":"x"}]}""",
        """{"count":2,"max_model_len":2048,"tokens":[7,1],"token_strs":null}""")]
    [InlineData("/detokenize", """{"tokens":[65,66]}""", """{"prompt":"AB"}""")]
    [InlineData("/detokenize", """{"tokens":[]}""", """{"prompt":""}""")]
    public async Task TextBecomesTokensAndBack(string path, string body, string expected)
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.PostAsync(path, body);
        Assert.Equal(expected, await reply.TextAsync());
    }

    [Theory]
    [InlineData("/tokenize", "{}", 400, "prompt")]
    [InlineData("/tokenize", "{\"model\":\"x\",\"prompt\":\"a\"}", 404, "model")]
    [InlineData("/detokenize", "{}", 400, "tokens")]
    [InlineData("/detokenize", "{\"tokens\":[5,1000]}", 400, "tokens[1]")]
    public async Task BadTokenRequestsAreNamed(string path, string body, int status, string param)
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.PostAsync(path, body);
        var error = await reply.ErrorAsync();
        Assert.Equal((status, param), (error.Status, error.Param));
    }

    [Theory]
    [InlineData("GET", "/v1/nothing", 404, "unknown_url")]
    [InlineData("GET", "/v1/chat/completions", 405, "method_not_allowed")]
    [InlineData("DELETE", "/v1/models", 405, "method_not_allowed")]
    [InlineData("POST", "/v1/responses", 404, "not_supported")]
    [InlineData("GET", "/v1/responses/resp_1", 404, "not_supported")]
    [InlineData("POST", "/v1/conversations", 404, "not_supported")]
    [InlineData("GET", "/v1/models/nobody", 404, "model_not_found")]
    [InlineData("GET", "/admin/conversations/nobody", 404, "not_found")]
    [InlineData("GET", "/admin/conversations?limit=0", 400, "invalid_value")]
    public async Task EveryOtherAnswerIsAnErrorOfTheSameShape(string method, string path, int status, string code)
    {
        await using var server = await GatewayServer.StartAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var reply = await server.Http.SendAsync(request, Stop);
        var error = await reply.ErrorAsync();
        Assert.Equal((status, code), (error.Status, error.Code));
    }

    [Fact]
    public async Task ModelsAreListedAlsoWithATrailingSlash()
    {
        await using var server = await GatewayServer.StartAsync();
        foreach (var path in new[] { "/v1/models", "/v1/models/" })
        {
            Assert.Equal("""{"object":"list","data":[{"id":"demo","object":"model","created":1700000000"""
                + ""","owned_by":"hearth","root":"demo","parent":null,"max_model_len":2048}]}""",
                await server.Http.GetStringAsync(path, Stop));
        }
    }

    [Fact]
    public async Task HealthTellsLoadingFromReady()
    {
        await using var server = await GatewayServer.StartAsync();
        await Check("/health/live", 200, """{"status":"live"}""");
        await Check("/health/ready", 200, """{"status":"ready","reason":"serving"}""");
        await Check("/health/startup", 200, """{"status":"started","reason":"serving","progress":1}""");
        server.Cluster.Status = new ClusterStatus(false, false, "loading 40 %", 0.4, new EngineLoad());
        await Check("/health/live", 200, """{"status":"live"}""");
        await Check("/health/ready", 503, """{"status":"loading","reason":"loading 40 %"}""");
        await Check("/health/startup", 503, """{"status":"loading","reason":"loading 40 %","progress":0.4}""");

        async Task Check(string path, int status, string body)
        {
            using var reply = await server.Http.GetAsync(path, Stop);
            Assert.Equal((status, body), ((int)reply.StatusCode, await reply.TextAsync()));
        }
    }

    [Fact]
    public async Task AdministratorsSeeSpillAndDeleteConversations()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Conversations[(TenantId.Local, new ConversationId("c"))] = new ConversationInfo
        { Id = "c", Silo = "s", Epoch = 3, State = "idle", Turns = 2, CachedTokens = 9, Tier = "device", Bytes = 10 };
        using var list = JsonDocument.Parse(await server.Http.GetStringAsync("/admin/conversations", Stop));
        Assert.Equal(9, list.RootElement.GetProperty("data")[0].GetProperty("cached_tokens").GetInt32());
        using var spilled = await server.Http.PostAsync("/admin/conversations/c/spill", null, Stop);
        Assert.Contains("\"tier\":\"disk\"", await spilled.TextAsync(), StringComparison.Ordinal);
        using var deleted = await server.Http.DeleteAsync("/admin/conversations/c", Stop);
        Assert.Equal("""{"id":"c","object":"conversation.deleted","deleted":true}""", await deleted.TextAsync());
    }

    [Fact]
    public async Task MetricsAreValidPrometheusText()
    {
        await using var server = await GatewayServer.StartAsync();
        using var meter = new Meter("Hearth.Test");
        meter.CreateCounter<long>("test.odd-name", "By", "line one\nand \\ two", [new("label.a", null)])
            .Add(5, new KeyValuePair<string, object?>("label.a", "x\"y\\z\nw"));
        var histogram = meter.CreateHistogram("hearth_test_wait", "s", "w", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1] });
        foreach (var value in new[] { 0.5, 0.75, 7 })
        {
            histogram.Record(value);
        }
        using (var chat = await server.ChatAsync(GatewayServer.Hello))
        {
            await chat.TextAsync();
        }
        using var reply = await server.Http.GetAsync("/metrics", Stop);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", reply.Content.Headers.ContentType!.ToString());
        var text = await reply.TextAsync();
        Assert.All(text.TrimEnd('\n').Split('\n'), line => Assert.Matches(MetricLine(), line));
        Assert.Contains("# HELP hearth_test_odd_name_bytes_total line one\\nand \\\\ two\n"
            + "# TYPE hearth_test_odd_name_bytes_total counter\n"
            + "hearth_test_odd_name_bytes_total{label_a=\"x\\\"y\\\\z\\nw\"} 5\n", text, StringComparison.Ordinal);
        Assert.Contains("hearth_test_wait_seconds_bucket{le=\"0.5\"} 1\nhearth_test_wait_seconds_bucket{le=\"1\"} 2\n"
            + "hearth_test_wait_seconds_bucket{le=\"+Inf\"} 3\n"
            + "hearth_test_wait_seconds_sum 8.25\nhearth_test_wait_seconds_count 3\n",
            text, StringComparison.Ordinal);
        // The gauges of gateways in one process are added up: tests run several at once.
        Assert.Matches("role=\"serve\",version=\"0.1.0\"} [0-9]+\n", text);
        Assert.Contains("hearth_gateway_turns_total{cache=\"hit\",operation=\"chat\",outcome=\"ok\"} ", text,
            StringComparison.Ordinal);
        Assert.Matches("hearth_cluster_kv_blocks [1-9][0-9]*\n", text);
        var names = Regex.Matches(text, "^# TYPE (\\S+)", RegexOptions.Multiline).Select(m => m.Groups[1].Value).ToArray();
        Assert.Equal(names.Distinct(), names);
    }

    [Fact]
    public async Task ThePageIsSmallAndCarriesAPolicy()
    {
        await using var server = await GatewayServer.StartAsync();
        var bytes = 0;
        foreach (var (path, type) in new[] { ("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript") })
        {
            using var reply = await server.Http.GetAsync(path, Stop);
            Assert.Equal(type, reply.Content.Headers.ContentType!.MediaType);
            Assert.Contains("default-src 'none'; script-src 'self'",
                reply.Header("Content-Security-Policy"), StringComparison.Ordinal);
            bytes += (await reply.Content.ReadAsByteArrayAsync(Stop)).Length;
        }
        Assert.InRange(bytes, 1, 20_000);
    }

    [Fact]
    public async Task OnlyTheOriginsGivenMayCallFromAPage()
    {
        var options = new GatewayOptions { CorsOrigins = ["https://chat.example"] };
        await using var server = await GatewayServer.StartAsync(options: options);
        foreach (var (origin, allowed) in new[] { ("https://chat.example", true), ("https://evil.example", false) })
        {
            using var preflight = new HttpRequestMessage(HttpMethod.Options, "/v1/chat/completions");
            preflight.Headers.Add("Origin", origin);
            preflight.Headers.Add("Access-Control-Request-Method", "POST");
            preflight.Headers.Add("Access-Control-Request-Headers", "content-type,authorization");
            using var reply = await server.Http.SendAsync(preflight, Stop);
            Assert.Equal(allowed, reply.Headers.Contains("Access-Control-Allow-Origin"));
            using var chat = await server.ChatAsync(GatewayServer.Hello, ("Origin", origin));
            Assert.Equal(allowed ? 200 : 401, (int)chat.StatusCode);
        }
    }

    [GeneratedRegex("cmpl-[0-9a-f]{32}")]
    private static partial Regex Id();

    [GeneratedRegex("""^(# (HELP|TYPE) [a-z_:][a-z0-9_:]* .+|"""
        + """[a-z_:][a-z0-9_:]*(\{([a-z_]+="([^"\\]|\\["\\n])*",?)*\})? (-?[0-9.e+-]+|NaN|[+-]Inf))$""")]
    private static partial Regex MetricLine();
}
