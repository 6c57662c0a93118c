using System.ClientModel;
using System.Text;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using Xunit;

namespace Hearth.Cli.Tests;

/// <summary>The official OpenAI client, unchanged, against a real server with the demo model.</summary>
public sealed class OpenAiClientTests : IAsyncLifetime
{
    readonly ScratchFolder _data = new();
    HearthProcess? _server;

    OpenAIClient Client => new(
        new ApiKeyCredential("not-needed"), new OpenAIClientOptions { Endpoint = new Uri(_server!.Url, "v1") });

    public async ValueTask InitializeAsync() => _server = await HearthProcess.ServeAsync(_data.Path);

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        _data.Dispose();
    }

    [Fact]
    public async Task AChatWithItsHistoryResentFindsItsCache()
    {
        var chat = Client.GetChatClient("demo");
        List<ChatMessage> messages = [new UserChatMessage("Hello! My name is Ada.")];
        var options = new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 60 };
        ChatCompletion first = await chat.CompleteChatAsync(messages, options, TestContext.Current.CancellationToken);
        Assert.Equal(ChatFinishReason.Stop, first.FinishReason);
        messages.Add(new AssistantChatMessage(first.Content[0].Text));
        messages.Add(new UserChatMessage("What is my name?"));
        ChatCompletion second = await chat.CompleteChatAsync(messages, options, TestContext.Current.CancellationToken);
        Assert.Contains("Ada", second.Content[0].Text, StringComparison.Ordinal);
        Assert.True(second.Usage.InputTokenDetails.CachedTokenCount >= first.Usage.InputTokenCount);
    }

    [Fact]
    public async Task AStreamedChatEndsWithItsReasonAndUsage()
    {
        var text = new StringBuilder();
        ChatFinishReason? reason = null;
        ChatTokenUsage? usage = null;
        await foreach (var update in Client.GetChatClient("demo").CompleteChatStreamingAsync(
            [new UserChatMessage("Please count to five.")], new ChatCompletionOptions { Temperature = 0 },
            TestContext.Current.CancellationToken))
        {
            foreach (var part in update.ContentUpdate)
                text.Append(part.Text);
            reason ??= update.FinishReason;
            usage ??= update.Usage;
        }
        Assert.Equal(ChatFinishReason.Stop, reason);
        Assert.NotNull(usage);
        Assert.True(usage.OutputTokenCount > 0);
        Assert.NotEqual("", text.ToString());
    }

    [Fact]
    public async Task ModelsAreListed()
    {
        OpenAIModelCollection models = await Client.GetOpenAIModelClient().GetModelsAsync(TestContext.Current.CancellationToken);
        Assert.Contains(models, model => model.Id == "demo");
    }

    [Fact]
    public async Task AnUnknownModelIsNotFound()
    {
        var error = await Assert.ThrowsAsync<ClientResultException>(
            () => Client.GetChatClient("no-such-model").CompleteChatAsync(
                [new UserChatMessage("Hello")], cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal(404, error.Status);
    }

    [Fact]
    public async Task AClientThatGoesAwayFreesItsPlace()
    {
        using var gone = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var update in Client.GetChatClient("demo").CompleteChatStreamingAsync(
                [new UserChatMessage("Please count to one hundred, then tell me all about yourself.")],
                new ChatCompletionOptions { MaxOutputTokenCount = 3000 }, gone.Token))
            {
                if (update.ContentUpdate.Count > 0)
                    await gone.CancelAsync();
            }
            gone.Token.ThrowIfCancellationRequested();
        });
        await _server!.UntilAsync("metrics", text => text.Contains("hearth_cluster_sequences_running 0", StringComparison.Ordinal));
    }
}
