using System.Text.RegularExpressions;
using Hearth.Contracts;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>The bytes of a stream.</summary>
public sealed class ChatStreamTests
{
    static string Chunk(string choice, string tail = "") =>
        """data: {"id":"ID","object":"chat.completion.chunk","created":1767225600,"model":"demo","choices":["""
        + $"{choice}]{tail}}}\n\n";

    [Fact]
    public async Task AStreamHasRoleThenTextThenReasonThenDone()
    {
        await using var server = await GatewayServer.StartAsync(time: new ManualTime());
        using var reply = await server.ChatAsync(GatewayServer.HelloStream);

        Assert.Equal(200, (int)reply.StatusCode);
        Assert.Equal("text/event-stream", reply.Content.Headers.ContentType!.ToString());
        Assert.Equal("no-cache", reply.Headers.CacheControl!.ToString());
        Assert.Equal("no", reply.Header("X-Accel-Buffering"));
        Assert.Null(reply.Content.Headers.ContentLength);
        Assert.Equal(Chunk("""{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}""")
            + Chunk("""{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}""")
            + Chunk("""{"index":0,"delta":{"content":" world"},"logprobs":null,"finish_reason":null}""")
            + Chunk("""{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}""")
            + "data: [DONE]\n\n", await BytesAsync(reply));
    }

    [Fact]
    public async Task UsageComesInAChunkOfItsOwnAndIsNullBefore()
    {
        await using var server = await GatewayServer.StartAsync(time: new ManualTime());
        server.Cluster.Play = (_, _) => ScriptedCluster.Events(ScriptedCluster.Reply(2, "é\u2028😀"));
        using var reply = await server.ChatAsync(
            """{"model":"demo","stream":true,"n":2,"stream_options":{"include_usage":true},"""
            + """ "messages":[{"role":"user","content":"Hi"}]}""");

        const string Null = ",\"usage\":null";
        Assert.Equal(Chunk("""{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}""", Null)
            + Chunk("""{"index":1,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}""", Null)
            + Chunk("""{"index":0,"delta":{"content":"é\u2028\uD83D\uDE00"},"logprobs":null,"finish_reason":null}""", Null)
            + Chunk("""{"index":1,"delta":{"content":"é\u2028\uD83D\uDE00"},"logprobs":null,"finish_reason":null}""", Null)
            + Chunk("""{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}""", Null)
            + Chunk("""{"index":1,"delta":{},"logprobs":null,"finish_reason":"length"}""", Null)
            + Chunk("", ""","usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11"""
                + ""","prompt_tokens_details":{"cached_tokens":4}}""")
            + "data: [DONE]\n\n", await BytesAsync(reply));
    }

    [Fact]
    public async Task LogprobsCarryTheTokensBytesAndAlternatives()
    {
        await using var server = await GatewayServer.StartAsync(time: new ManualTime());
        server.Cluster.Play = (_, _) => ScriptedCluster.Events([
            ScriptedCluster.Started(),
            new TurnDelta
            {
                Text = "é",
                Logprobs =
                [
                    new TokenLogprob("\ufffd", [0xC3], -0.5f, [new AlternativeLogprob("\ufffd", [0xC3], -0.5f)]),
                    new TokenLogprob("\ufffd", [0xA9], float.NegativeInfinity, []),
                ],
            },
            new ChoiceFinished { Reason = FinishReason.Length },
            new TurnFinished { Usage = new Usage(10, 2, 4) }]);
        using var reply = await server.ChatAsync(
            """{"model":"demo","stream":true,"logprobs":true,"top_logprobs":1,"messages":[{"role":"user","content":"Hi"}]}""");

        Assert.Contains(Chunk("""{"index":0,"delta":{"content":"é"},"logprobs":{"content":["""
            + """{"token":"�","logprob":-0.5,"bytes":[195],"top_logprobs":[{"token":"�","logprob":-0.5,"bytes":[195]}]},"""
            + """{"token":"�","logprob":-9999,"bytes":[169],"top_logprobs":[]}],"refusal":null},"finish_reason":null}"""),
            await BytesAsync(reply), StringComparison.Ordinal);
        Assert.Equal(1, server.Cluster.Turns.Single().Generation.Sampling.TopLogprobs);
    }

    [Fact]
    public async Task AFailureAfterTheStartIsAnErrorFrameAndABrokenConnection()
    {
        await using var server = await GatewayServer.StartAsync(time: new ManualTime());
        server.Cluster.Play = (_, _) => ScriptedCluster.Events([
            ScriptedCluster.Started(), new TurnDelta { Text = "Hel" },
            ScriptedCluster.Failed(TurnError.StoreUnavailable, "The store is away.")]);
        for (var i = 0; i < 50; i++)
        {
            using var reply = await server.ChatAsync(GatewayServer.HelloStream);
            var (text, broken) = await ReadUntilBrokenAsync(reply);
            Assert.True(broken, "the connection must break");
            Assert.EndsWith("""
                data: {"error":{"message":"The store is away.","type":"server_error","param":null,"code":"store_unavailable"}}


                """, text, StringComparison.Ordinal);
            Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
            Assert.DoesNotContain("finish_reason\":\"", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task EventsThatBreakOffOrThrowNeverLookComplete()
    {
        await using var server = await GatewayServer.StartAsync();
        Func<IEnumerable<TurnEvent>>[] plays = [() => [ScriptedCluster.Started(), new TurnDelta { Text = "a" }], Throwing];
        foreach (var play in plays)
        {
            server.Cluster.Play = (_, _) => ScriptedCluster.Events(play());
            using var stream = await server.ChatAsync(GatewayServer.HelloStream);
            var (text, broken) = await ReadUntilBrokenAsync(stream);
            Assert.True(broken);
            Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
            using var whole = await server.ChatAsync(GatewayServer.Hello);
            Assert.Equal((500, "internal_error", null), await whole.ErrorAsync());
        }

        static IEnumerable<TurnEvent> Throwing()
        {
            yield return ScriptedCluster.Started();
            throw new InvalidDataException("a bug");
        }
    }

    [Fact]
    public async Task SilenceIsFilledWithComments()
    {
        var time = new ManualTime();
        await using var server = await GatewayServer.StartAsync(time: time);
        server.Cluster.Play = (_, stop) => ScriptedCluster.Hanging([ScriptedCluster.Started()], stop);
        using var reply = await server.ChatAsync(GatewayServer.HelloStream);
        using var lines = new StreamReader(await reply.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        Assert.StartsWith("data: ", await lines.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal("", await lines.ReadLineAsync(TestContext.Current.CancellationToken));
        for (var i = 0; i < 3; i++)
        {
            await time.ArmedAsync(TestContext.Current.CancellationToken);
            time.Advance(TimeSpan.FromSeconds(15));
            Assert.Equal(": ping", await lines.ReadLineAsync(TestContext.Current.CancellationToken));
            Assert.Equal("", await lines.ReadLineAsync(TestContext.Current.CancellationToken));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AStreamThatWaitsForItsTurnIsKeptOpen(bool fails)
    {
        var (time, goOn) = (new ManualTime(), new TaskCompletionSource());
        await using var server = await GatewayServer.StartAsync(time: time);
        server.Cluster.Play = (_, _) => Waiting(goOn.Task, fails);
        var asked = server.ChatAsync(
            """{"model":"demo","stream":true,"conversation":"conv_1","messages":[{"role":"user","content":"Hi"}]}""",
            ("Idempotency-Key", "turn_1"));
        await time.ArmedAsync(TestContext.Current.CancellationToken);
        Assert.False(asked.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(15));
        using var reply = await asked;
        Assert.Equal("200 text/event-stream", $"{(int)reply.StatusCode} {reply.Content.Headers.ContentType}");
        Assert.Equal(("conv_1", "turn_1"), (reply.Header("x-hearth-conversation"), reply.Header("x-hearth-turn")));
        Assert.False(reply.Headers.Contains("x-hearth-silo"));
        await time.ArmedAsync(TestContext.Current.CancellationToken);
        time.Advance(TimeSpan.FromSeconds(15));
        goOn.SetResult();

        var (text, broken) = await ReadUntilBrokenAsync(reply);
        Assert.Matches("^(: ping\n\n){1,2}data: ", text);
        Assert.Equal(fails, broken);
        var end = Chunk("""{"index":0,"delta":{"content":"late"},"logprobs":null,"finish_reason":null}""")
            + Chunk("""{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}""") + "data: [DONE]\n\n";
        Assert.EndsWith(fails ? "\"code\":\"overloaded\"}}\n\n" : end, Regex.Replace(text, "chatcmpl-[0-9a-f]{32}", "ID"),
            StringComparison.Ordinal);

        static async IAsyncEnumerable<TurnEvent> Waiting(Task start, bool fails)
        {
            await start;
            foreach (var happened in fails ? [ScriptedCluster.Failed(TurnError.Overloaded)] : ScriptedCluster.Reply("late"))
            {
                yield return happened;
            }
        }
    }

    [Fact]
    public async Task AWholeReplyThatWaitsSaysNothingBefore()
    {
        var (time, goOn) = (new ManualTime(), new TaskCompletionSource());
        await using var server = await GatewayServer.StartAsync(time: time);
        server.Cluster.Play = (_, _) => Waiting(goOn.Task);
        var asked = server.ChatAsync(GatewayServer.Hello);
        await server.Cluster.EnteredAsync(TestContext.Current.CancellationToken);
        time.Advance(TimeSpan.FromMinutes(5));
        goOn.SetResult();
        using var reply = await asked;
        Assert.Equal((503, "overloaded", null), await reply.ErrorAsync());

        static async IAsyncEnumerable<TurnEvent> Waiting(Task start)
        {
            await start;
            yield return ScriptedCluster.Failed(TurnError.Overloaded);
        }
    }

    [Fact]
    public async Task ObfuscationHidesTheLengthOfShortText()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Play = (_, _) => ScriptedCluster.Events(ScriptedCluster.Reply("a", "longer"));
        using var reply = await server.ChatAsync(
            """{"model":"demo","stream":true,"stream_options":{"include_obfuscation":true},"""
            + """ "messages":[{"role":"user","content":"Hi"}]}""");
        var deltas = (await reply.TextAsync()).Split("\n\n")
            .Where(f => f.Contains("obfuscation", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, deltas.Length);
        Assert.Equal(deltas[0].Length, deltas[1].Length);
    }

    internal static async Task<(string Text, bool Broken)> ReadUntilBrokenAsync(HttpResponseMessage reply)
    {
        var bytes = new MemoryStream();
        var stream = await reply.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        try
        {
            await stream.CopyToAsync(bytes, TestContext.Current.CancellationToken);
            return (System.Text.Encoding.UTF8.GetString(bytes.ToArray()), false);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return (System.Text.Encoding.UTF8.GetString(bytes.ToArray()), true);
        }
    }

    static async Task<string> BytesAsync(HttpResponseMessage reply)
    {
        var text = await reply.TextAsync();
        Assert.Single(Regex.Matches(text, "chatcmpl-[0-9a-f]{32}").Select(m => m.Value).Distinct());
        return Regex.Replace(text, "chatcmpl-[0-9a-f]{32}", "ID");
    }
}
