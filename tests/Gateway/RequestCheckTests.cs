using System.Net;
using System.Net.Sockets;
using System.Text;
using Hearth.Contracts;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>One request cannot hurt the process: each gets its status, quickly, with the field named.</summary>
public sealed class RequestCheckTests
{
    const string User = """{"role":"user","content":"Hi"}""";

    public static TheoryData<string, string, string?> Cases => new()
    {
        // name of the field and its JSON, the status with the code, the path that the error names
        { "\"n\":1000000000", "invalid_value", "n" },
        { "\"n\":0", "invalid_value", "n" },
        { "\"n\":1.5", "invalid_value", "n" },
        { "\"max_tokens\":2147483648", "invalid_value", "max_tokens" },
        { "\"max_completion_tokens\":-1", "invalid_value", "max_completion_tokens" },
        { "\"max_tokens\":99999999999999999999999", "invalid_value", "max_tokens" },
        { "\"temperature\":-0.1", "invalid_value", "temperature" },
        { "\"temperature\":1e999", "invalid_value", "temperature" },
        { "\"temperature\":\"NaN\"", "invalid_value", "temperature" },
        { "\"temperature\":NaN", "invalid_value", null },
        { "\"temperature\":-Infinity", "invalid_value", null },
        { "\"top_p\":1.01", "invalid_value", "top_p" },
        { "\"min_p\":-1", "invalid_value", "min_p" },
        { "\"top_k\":-2", "invalid_value", "top_k" },
        { "\"repetition_penalty\":0", "invalid_value", "repetition_penalty" },
        { "\"presence_penalty\":2.5", "invalid_value", "presence_penalty" },
        { "\"frequency_penalty\":-3", "invalid_value", "frequency_penalty" },
        { "\"seed\":1e3", "invalid_value", "seed" },
        { "\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "invalid_value", "stop" },
        { "\"stop\":[\"a\",7]", "invalid_value", "stop[1]" },
        { "\"stop\":\"\"", "invalid_value", "stop" },
        { "\"logit_bias\":{\"x\":1}", "invalid_value", "logit_bias.x" },
        { "\"logit_bias\":{\"1000\":1}", "invalid_value", "logit_bias.1000" },
        { "\"logit_bias\":{\"-1\":1}", "invalid_value", "logit_bias.-1" },
        { "\"logit_bias\":{\"5\":101}", "invalid_value", "logit_bias.5" },
        { "\"logprobs\":1", "invalid_value", "logprobs" },
        { "\"logprobs\":true,\"top_logprobs\":21", "invalid_value", "top_logprobs" },
        { "\"top_logprobs\":2", "invalid_value", "top_logprobs" },
        { "\"stream\":\"yes\"", "invalid_value", "stream" },
        { "\"stream_options\":{\"include_usage\":1}", "invalid_value", "stream_options.include_usage" },
        { "\"metadata\":{\"a\":1}", "invalid_value", "metadata.a" },
        { "\"conversation\":\"a b\"", "invalid_value", "conversation" },
        { "\"conversation\":{\"id\":\"../x\"}", "invalid_value", "conversation.id" },
        { "\"chat_template_kwargs\":{\"tokenize\":true}", "invalid_value", "chat_template_kwargs.tokenize" },
        { "\"chat_template_kwargs\":{\"enable_thinking\":\"x\"}", "invalid_value", "chat_template_kwargs.enable_thinking" },
        { "\"chat_template_kwargs\":{\"date_string\":[]}", "invalid_value", "chat_template_kwargs.date_string" },
        { "\"cache_salt\":\"\"", "invalid_value", "cache_salt" },
        { "\"cache\":\"sink\"", "invalid_value", "cache" },
        { "\"use_cache\":0", "invalid_value", "use_cache" },
        { "\"tools\":[{\"type\":\"function\"}]", "invalid_value", "tools" },
        { "\"tool_choice\":\"required\"", "invalid_value", "tool_choice" },
        { "\"response_format\":{\"type\":\"json_object\"}", "invalid_value", "response_format.type" },
        { "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{}}", "invalid_value", "response_format.type" },
        { "\"modalities\":[\"text\",\"audio\"]", "invalid_value", "modalities[1]" },
        { "\"audio\":{\"voice\":\"x\"}", "invalid_value", "audio" },
        { "\"user\":\"a\",\"user\":\"b\"", "invalid_value", null },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task ABadFieldIsNamed(string field, string code, string? param)
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.ChatAsync($$"""{"model":"demo","messages":[{{User}}],{{field}}}""");
        Assert.Equal((400, code, param), await reply.ErrorAsync());
        Assert.Empty(server.Cluster.Turns);
    }

    public static TheoryData<string, string?> MessageCases => new()
    {
        { "[]", "messages" },
        { "{}", "messages" },
        { "[1]", "messages[0]" },
        { $"[{User},{{\"role\":\"robot\",\"content\":\"x\"}}]", "messages[1].role" },
        { """[{"content":"x"}]""", "messages[0].role" },
        { """[{"role":"user"}]""", "messages[0].content" },
        { """[{"role":"user","content":null}]""", "messages[0].content" },
        { """[{"role":"user","content":[]}]""", "messages[0].content" },
        { """[{"role":"user","content":5}]""", "messages[0].content" },
        { $$"""[{{User}},{{User}},{{User}},{"role":"user","content":[{"type":"image_url"}]}]""", "messages[3].content[0].type" },
        { """[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text"}]}]""", "messages[0].content[1].text" },
        { """[{"role":"user","content":"\ud800"}]""", "messages[0].content" },
        { """[{"role":"user","content":"\udc00 x"}]""", "messages[0].content" },
        { """[{"role":"tool","content":"x"}]""", "messages[0].tool_call_id" },
        { """[{"role":"assistant","content":null}]""", "messages[0].content" },
        { """[{"role":"assistant","tool_calls":[{"id":"c"}]}]""", "messages[0].tool_calls[0].function" },
        {
            """[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"a b","arguments":"{}"}}]}]""",
            "messages[0].tool_calls[0].function.name"
        },
    };

    [Theory]
    [MemberData(nameof(MessageCases))]
    public async Task ABadMessageIsNamed(string messages, string? param)
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.ChatAsync($$"""{"model":"demo","messages":{{messages}}}""");
        Assert.Equal((400, "invalid_value", param), await reply.ErrorAsync());
    }

    [Fact]
    public async Task LargeThingsAreRefusedByTheirCount()
    {
        await using var server = await GatewayServer.StartAsync();
        async Task Check(string rest, string? param, string messages = $"[{User}]")
        {
            using var reply = await server.ChatAsync($$"""{"model":"demo","messages":{{messages}}{{rest}}}""");
            Assert.Equal((400, "invalid_value", param), await reply.ErrorAsync());
        }

        static string Many(int count, Func<int, string> one) => string.Join(',', Enumerable.Range(0, count).Select(one));

        await Check("", "messages", $"[{Many(100_000, _ => User)}]");
        await Check("", "messages", $"[{Many(1_000_000, _ => "1")}]");
        await Check("", "messages[0].content", $$"""[{"role":"user","content":"{{new string('x', (1 << 20) + 1)}}"}]""");
        await Check($",\"stop\":[{Many(10_000, i => $"\"{i}\"")}]", "stop");
        await Check($",\"logit_bias\":{{{Many(200_000, i => $"\"{i}\":1")}}}", "logit_bias");
        await Check($",\"metadata\":{{{Many(17, i => $"\"{i}\":\"\"")}}}", "metadata");
        await Check($",\"x\":{new string('[', 10_000)}", null);
        await Check($",\"{new string('y', 1_000_000)}\":1,\"{new string('y', 1_000_000)}\":1", null);
        await Check($",\"logit_bias\":{{\"{new string('y', 100_000)}\":1}}",
            "logit_bias." + new string('y', 200) + "…");
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("\"x\"")]
    [InlineData("{\"model\"")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"logit_bias\":{\"\\ud800\":1}}")]
    [InlineData("{\"messages\":[],} trailing")]
    public async Task WhatIsNotAJsonObjectIsRefused(string body)
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.ChatAsync(body);
        Assert.Equal((400, "invalid_value"), (await reply.ErrorAsync()) is var e ? (e.Status, e.Code) : default);
    }

    [Fact]
    public async Task InvalidUtf8IsRefused()
    {
        await using var server = await GatewayServer.StartAsync();
        using var content = new ByteArrayContent([.. """{"model":"demo","x":" """u8, 0xC3, 0x28, .. "\"}"u8]);
        content.Headers.ContentType = new("application/json");
        using var reply = await server.Http.PostAsync("/v1/chat/completions", content, TestContext.Current.CancellationToken);
        Assert.Equal((400, "invalid_value", null), await reply.ErrorAsync());
    }

    [Fact]
    public async Task NullsEqualAbsentAndUnknownFieldsAreIgnored()
    {
        await using var server = await GatewayServer.StartAsync();
        using var reply = await server.ChatAsync("""
            {"model":"demo","messages":[{"role":"user","content":"a\u0000b","name":null,"x":[{}]}],
             "temperature":null,"n":null,"stop":null,
             "max_tokens":null,"tools":null,"tool_choice":null,"response_format":null,"stream":null,"stream_options":null,
             "conversation":null,
             "logit_bias":null,"audio":null,"modalities":null,"seed":null,"metadata":null,
             "chat_template_kwargs":null,"cache_salt":null,
             "user":"u","store":true,"service_tier":"auto","reasoning_effort":"none","verbosity":"low","parallel_tool_calls":true,
             "prompt_cache_key":"k","safety_identifier":"s","return_token_ids":true,"never_heard_of":{"a":[1,2,{"b":null}]}}
            """);
        Assert.Equal(200, (int)reply.StatusCode);
        var turn = Assert.Single(server.Cluster.Turns);
        Assert.Equal(new SamplingOptions(), turn.Generation.Sampling);
        Assert.Equal("a\0b", Assert.IsType<MessageItem>(Assert.Single(turn.Items)).Text);
    }

    [Fact]
    public async Task ABodyThatIsTooLargeIs413AlsoWhenItsLengthIsUnknown()
    {
        await using var server = await GatewayServer.StartAsync();
        var body = GatewayServer.Hello + new string(' ', 5 << 20);
        using var known = await server.ChatAsync(body);
        Assert.Equal((413, "request_too_large", null), await known.ErrorAsync());

        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        request.Headers.TransferEncodingChunked = true;
        using var chunked = await server.Http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal((413, "request_too_large", null), await chunked.ErrorAsync());
    }

    [Theory]
    [InlineData("application/json", "gzip")]
    [InlineData("text/plain", null)]
    [InlineData("application/x-www-form-urlencoded", null)]
    public async Task OtherMediaAndCompressedBodiesAre415(string type, string? coding)
    {
        await using var server = await GatewayServer.StartAsync();
        using var content = new StringContent(GatewayServer.Hello);
        content.Headers.ContentType = new(type);
        if (coding is not null)
        {
            content.Headers.ContentEncoding.Add(coding);
        }
        using var reply = await server.Http.PostAsync("/v1/chat/completions", content, TestContext.Current.CancellationToken);
        Assert.Equal((415, "unsupported_media_type", null), await reply.ErrorAsync());
    }

    [Fact]
    public async Task HeadersOverTheLimitsAre431()
    {
        await using var server = await GatewayServer.StartAsync();
        using var many = await server.ChatAsync(GatewayServer.Hello,
            [.. Enumerable.Range(0, 120).Select(i => ($"x-{i}", "v"))]);
        Assert.Equal((431, "headers_too_large", null), await many.ErrorAsync());
        using var large = await server.ChatAsync(GatewayServer.Hello, ("x-large", new string('a', 40_000)));
        Assert.Equal((431, "headers_too_large", null), await large.ErrorAsync());
        using var huge = await server.ChatAsync(GatewayServer.Hello, ("x-huge", new string('a', 200_000)));
        Assert.Equal(HttpStatusCode.RequestHeaderFieldsTooLarge, huge.StatusCode);
    }

    [Fact]
    public async Task AHeaderThatNeverEndsIsCutOff()
    {
        await using var server = await GatewayServer.StartAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Url.Port, TestContext.Current.CancellationToken);
        var stream = client.GetStream();
        var start = Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {server.Url.Authority}\r\nX: ");
        await stream.WriteAsync(start, TestContext.Current.CancellationToken);
        var sent = 0;
        try
        {
            for (; sent < 10_000; sent++)
            {
                await stream.WriteAsync(new byte[1024], TestContext.Current.CancellationToken);
            }
        }
        catch (IOException)
        {
            // Hung up on, as it should be.
        }
        Assert.InRange(sent, 1, 9_999);
    }
}
