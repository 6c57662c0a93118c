using System.ClientModel;
using System.ClientModel.Primitives;
using Hearth.Contracts;
using OpenAI;
using OpenAI.Chat;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>OpenAI's own client, unchanged.</summary>
public sealed class OpenAIClientTests
{
    static CancellationToken Stop => TestContext.Current.CancellationToken;

    static OpenAIClient Client(GatewayServer server) => new(new ApiKeyCredential("any"), new OpenAIClientOptions
    {
        Endpoint = new Uri(server.Url, "/v1"),
        RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
    });

    [Fact]
    public async Task ItChats()
    {
        await using var server = await GatewayServer.StartAsync();
        var chat = Client(server).GetChatClient(ScriptedCluster.Model);
        ChatCompletion reply = await chat.CompleteChatAsync(
            [new SystemChatMessage("S"), new UserChatMessage("Hi")],
            new ChatCompletionOptions { MaxOutputTokenCount = 5, Temperature = 0, StopSequences = { "x" } }, Stop);
        Assert.Equal("Hello world", Assert.Single(reply.Content).Text);
        Assert.Equal(ChatFinishReason.Stop, reply.FinishReason);
        Assert.Equal(ChatMessageRole.Assistant, reply.Role);
        Assert.Equal((10, 2, 4), (reply.Usage.InputTokenCount, reply.Usage.OutputTokenCount,
            reply.Usage.InputTokenDetails.CachedTokenCount));
        var turn = Assert.Single(server.Cluster.Turns);
        Assert.Equal((5, 0f, "x"), (turn.Generation.MaxTokens, turn.Generation.Sampling.Temperature, turn.Generation.Stop[0]));
    }

    [Fact]
    public async Task ItStreamsWithUsage()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Play = (_, _) => ScriptedCluster.Events(ScriptedCluster.Reply("Hel", "lo 😀", "\u2028"));
        var chat = Client(server).GetChatClient(ScriptedCluster.Model);
        var text = "";
        ChatFinishReason? reason = null;
        ChatTokenUsage? usage = null;
        var updates = chat.CompleteChatStreamingAsync([new UserChatMessage("Hi")], new ChatCompletionOptions(), Stop);
        await foreach (var update in updates)
        {
            text += string.Concat(update.ContentUpdate.Select(c => c.Text));
            reason ??= update.FinishReason;
            usage ??= update.Usage;
        }
        Assert.Equal("Hello 😀\u2028", text);
        Assert.Equal(ChatFinishReason.Stop, reason);
        Assert.Equal(4, usage?.InputTokenDetails.CachedTokenCount);
    }

    [Fact]
    public async Task ItReadsLogprobs()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Play = (_, _) => ScriptedCluster.Events([
            ScriptedCluster.Started(),
            new TurnDelta
            {
                Text = "a",
                Logprobs = [new TokenLogprob("a", [97], -0.25f, [new AlternativeLogprob("b", [98], -1.5f)])],
            },
            new ChoiceFinished { Reason = FinishReason.Length },
            new TurnFinished { Usage = new Usage(1, 1, 0) }]);
        ChatCompletion reply = await Client(server).GetChatClient(ScriptedCluster.Model).CompleteChatAsync(
            [new UserChatMessage("Hi")],
            new ChatCompletionOptions { IncludeLogProbabilities = true, TopLogProbabilityCount = 1 }, Stop);
        var token = Assert.Single(reply.ContentTokenLogProbabilities);
        Assert.Equal(("a", -0.25f), (token.Token, token.LogProbability));
        Assert.Equal("b", Assert.Single(token.TopLogProbabilities).Token);
        Assert.Equal(ChatFinishReason.Length, reply.FinishReason);
    }

    [Fact]
    public async Task ItListsModels()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Models = [ScriptedCluster.Card, ScriptedCluster.Card with { Name = "org/other" }];
        var models = Client(server).GetOpenAIModelClient();
        Assert.Equal([ScriptedCluster.Model, "org/other"], (await models.GetModelsAsync(Stop)).Value.Select(m => m.Id));
        Assert.Equal(ScriptedCluster.Model, (await models.GetModelAsync(ScriptedCluster.Model, Stop)).Value.Id);
        Assert.Equal("org/other", (await models.GetModelAsync("org/other", Stop)).Value.Id);
    }

    [Theory]
    [InlineData(TurnError.ContextLengthExceeded, 400, "context_length_exceeded")]
    [InlineData(TurnError.Overloaded, 503, "overloaded")]
    [InlineData(TurnError.Internal, 500, "internal_error")]
    public async Task ItThrowsWithStatusAndCode(TurnError error, int status, string code)
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Play = (_, _) => ScriptedCluster.Events([ScriptedCluster.Failed(error)]);
        var chat = Client(server).GetChatClient(ScriptedCluster.Model);
        var fault = await Assert.ThrowsAsync<ClientResultException>(
            () => chat.CompleteChatAsync([new UserChatMessage("Hi")], null, Stop));
        Assert.Equal(status, fault.Status);
        Assert.Contains(code, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ItThrowsForAnUnknownModel()
    {
        await using var server = await GatewayServer.StartAsync();
        var chat = Client(server).GetChatClient("nobody");
        var fault = await Assert.ThrowsAsync<ClientResultException>(
            () => chat.CompleteChatAsync([new UserChatMessage("Hi")], null, Stop));
        Assert.Equal(404, fault.Status);
    }

    [Fact]
    public async Task ItThrowsWhenAStreamBreaksOff()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Play = (_, _) => ScriptedCluster.Events([
            ScriptedCluster.Started(), new TurnDelta { Text = "a" }, ScriptedCluster.Failed(TurnError.Fenced)]);
        var chat = Client(server).GetChatClient(ScriptedCluster.Model);
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await foreach (var _ in chat.CompleteChatStreamingAsync([new UserChatMessage("Hi")], null, Stop))
            {
            }
        });
    }
}
