using Hearth.Contracts;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>Streams with event ids: cut anywhere, the rest has the very bytes that were missing.</summary>
public sealed class ResumeTests
{
    const string Events = "/v1/conversations/conv_1/turns/turn_1/events";

    static readonly TurnEvent[] s_turn = [.. ScriptedCluster.Numbered(
    [
        ScriptedCluster.Started() with { Model = ScriptedCluster.Model, Choices = 2 },
        new TurnDelta { Text = "Hel" },
        new TurnDelta { Choice = 1, Text = "" },
        new TurnDelta { Choice = 1, Text = "other" },
        new ChoiceFinished { Choice = 1, Reason = FinishReason.Length },
        new TurnDelta { Text = "lo" },
        new ChoiceFinished { Reason = FinishReason.Stop },
        new TurnFinished { Usage = new Usage(10, 3, 4) },
    ])];

    static readonly string s_body =
        """{"model":"demo","stream":true,"n":2,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}""";

    static ScriptedCluster Cluster()
    {
        var cluster = new ScriptedCluster { Play = (_, _) => ScriptedCluster.Events(s_turn) };
        cluster.Live[(new ConversationId("conv_1"), new TurnId("turn_1"))] = s_turn;
        return cluster;
    }

    [Fact]
    public async Task AStreamCutAnywhereGoesOnThroughAnotherGatewayToTheByte()
    {
        await using var first = await GatewayServer.StartAsync(Cluster());
        await using var second = await GatewayServer.StartAsync(Cluster());
        using var reply = await first.ChatAsync(s_body, ("X-Hearth-Event-Ids", "true"));
        var frames = (await reply.TextAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(9, frames.Length);
        Assert.All(frames, f => Assert.StartsWith("id: ", f, StringComparison.Ordinal));
        Assert.EndsWith("[DONE]", frames[^1], StringComparison.Ordinal);

        for (var cut = 0; cut <= frames.Length; cut++)
        {
            var last = cut == 0 ? null : frames[cut - 1].Split('\n')[0]["id: ".Length..];
            var path = $"{Events}?include_usage=true" + (last is null ? "" : $"&starting_after={last}");
            using var rest = await second.Http.GetAsync(path, TestContext.Current.CancellationToken);
            Assert.Equal(200, (int)rest.StatusCode);
            Assert.Equal("conv_1", rest.Header("x-hearth-conversation"));
            Assert.Equal(cut == frames.Length ? "data: [DONE]\n\n" : string.Concat(frames[cut..].Select(f => f + "\n\n")),
                await rest.TextAsync());
        }
        using var request = new HttpRequestMessage(HttpMethod.Get, Events + "?include_usage=true");
        request.Headers.Add("Last-Event-ID", "3");
        using var header = await second.Http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.StartsWith("id: 5\n", await header.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutTheHeaderAStreamHasNoIds()
    {
        await using var server = await GatewayServer.StartAsync(Cluster());
        using var reply = await server.ChatAsync(s_body);
        Assert.DoesNotContain("id: ", (await reply.TextAsync()).Replace("\"id\"", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("?starting_after=x", 400, "invalid_value")]
    [InlineData("?starting_after=1.2.3", 400, "invalid_value")]
    [InlineData("?starting_after=-1", 400, "invalid_value")]
    [InlineData("?starting_after=99999999999", 400, "invalid_value")]
    public async Task APlaceThatIsNoneIsRefused(string query, int status, string code)
    {
        await using var server = await GatewayServer.StartAsync(Cluster());
        using var reply = await server.Http.GetAsync(Events + query, TestContext.Current.CancellationToken);
        Assert.Equal((status, code, "starting_after"), await reply.ErrorAsync());
    }

    [Fact]
    public async Task AnUnknownTurnIsNotFound()
    {
        await using var server = await GatewayServer.StartAsync(Cluster());
        using var events = await server.Http.GetAsync(
            "/v1/conversations/conv_1/turns/turn_2/events", TestContext.Current.CancellationToken);
        Assert.Equal((404, "not_found", null), await events.ErrorAsync());
        using var cancel = await server.PostAsync("/v1/conversations/conv_1/turns/turn_2/cancel", "");
        Assert.Equal((404, "not_found", null), await cancel.ErrorAsync());
        using var odd = await server.Http.GetAsync(
            "/v1/conversations/conv_1/turns/t%20x/events", TestContext.Current.CancellationToken);
        Assert.Equal((404, "not_found", null), await odd.ErrorAsync());
    }

    [Fact]
    public async Task ATurnCanBeStoppedFromOutside()
    {
        await using var server = await GatewayServer.StartAsync(Cluster());
        using var cancel = await server.PostAsync("/v1/conversations/conv_1/turns/turn_1/cancel", "");
        Assert.Equal("""{"id":"turn_1","object":"turn","conversation":"conv_1","status":"cancelled"}""", await cancel.TextAsync());
    }

    [Fact]
    public async Task AClientThatMayComeBackHasAWhileToDoSo()
    {
        var time = new ManualTime();
        await using var server = await GatewayServer.StartAsync(time: time);
        server.Cluster.Play = (_, stop) => ScriptedCluster.Hanging([ScriptedCluster.Started()], stop);
        var reply = await server.ChatAsync(GatewayServer.HelloStream, ("X-Hearth-Event-Ids", "true"));
        await time.ArmedAsync(TestContext.Current.CancellationToken); // the heartbeat
        reply.Dispose();
        await time.ArmedAsync(TestContext.Current.CancellationToken); // the while
        time.Advance(TimeSpan.FromSeconds(9.9));
        Assert.False(server.Cluster.Left.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));
        await server.Cluster.Left.WaitAsync(TestContext.Current.CancellationToken);
    }
}
