using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Hearth.Cli.Tests;

/// <summary>kill -9 at random moments under load: a turn that was acknowledged is there afterwards, and no half of another one.
/// A turn without an answer is sent again with its key, and then is there once.</summary>
public sealed class CrashTests : IDisposable
{
    const int Clients = 4;
    const int Rounds = 3;

    readonly ScratchFolder _data = new();
    readonly Chat[] _chats = [.. Enumerable.Range(0, Clients).Select(i => new Chat($"crash-{i}"))];

    public void Dispose() => _data.Dispose();

    [Fact]
    public async Task NoAcknowledgedTurnIsLostAndNoneIsHalf()
    {
        var random = new Random(20260101);
        for (var round = 0; round < Rounds; round++)
        {
            await using var server = await HearthProcess.ServeAsync(_data.Path, "--kv-memory", "8m", "--host-memory", "1m");
            await CheckAsync(server);
            var enough = _chats.Sum(c => c.Turns) + random.Next(2, 12);
            using var stop = new CancellationTokenSource();
            var running = _chats.Select(c => c.TalkAsync(server, stop.Token)).ToList();
            while (_chats.Sum(c => c.Turns) < enough)
                await Task.WhenAny(_chats.Select(c => c.NextTurn));
            await server.KillAsync();
            await stop.CancelAsync();
            await Task.WhenAll(running);
        }
        await using var last = await HearthProcess.ServeAsync(_data.Path);
        await CheckAsync(last);
        Assert.All(_chats, c => Assert.True(c.Turns > 0));
    }

    async Task CheckAsync(HearthProcess server)
    {
        foreach (var chat in _chats)
            await chat.CheckAsync(server);
    }

    /// <summary>One client, which keeps what it was told.</summary>
    sealed class Chat(string id)
    {
        readonly List<JsonObject> _history = [];
        TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int _turns;

        public int Turns => Volatile.Read(ref _turns);
        public Task NextTurn => Volatile.Read(ref _next).Task;

        public async Task TalkAsync(HearthProcess server, CancellationToken stop)
        {
            try
            {
                while (!stop.IsCancellationRequested)
                    await TurnAsync(server);
            }
            catch (HttpRequestException)
            {
                // The server is gone.
            }
        }

        /// <summary>The turn in doubt is asked for again; then the server's transcript is as long, and as many tokens, as
        /// what this client knows.</summary>
        public async Task CheckAsync(HearthProcess server)
        {
            var promptTokens = await TurnAsync(server);
            var cancellation = TestContext.Current.CancellationToken;
            var info = JsonNode.Parse(await server.Http.GetStringAsync($"admin/conversations/{id}", cancellation))!;
            Assert.Equal(Turns, info["turns"]!.GetValue<int>());
            var whole = new JsonObject { ["messages"] = new JsonArray([.. _history.SkipLast(1).Select(m => m.DeepClone())]) };
            using var response = await server.Http.PostAsJsonAsync("tokenize", whole, cancellation);
            var counted = JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellation))!["count"]!.GetValue<int>();
            Assert.Equal(counted, promptTokens);
        }

        async Task<int> TurnAsync(HearthProcess server)
        {
            var message = new JsonObject { ["role"] = "user", ["content"] = $"Please count to {3 + _turns % 5}." };
            using var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions")
            {
                Content = JsonContent.Create(new JsonObject
                {
                    ["model"] = "demo",
                    ["conversation"] = id,
                    ["cache_salt"] = id,
                    ["temperature"] = 0,
                    ["max_tokens"] = 24,
                    ["messages"] = new JsonArray(message.DeepClone()),
                }),
            };
            request.Headers.Add("Idempotency-Key", $"{id}-{_turns}");
            using var response = await server.Http.SendAsync(request, TestContext.Current.CancellationToken);
            var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.True(response.IsSuccessStatusCode, text);
            var reply = JsonNode.Parse(text)!;
            _history.Add(message);
            _history.Add(reply["choices"]![0]!["message"]!.DeepClone().AsObject());
            Volatile.Write(ref _turns, _turns + 1);
            Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
            return reply["usage"]!["prompt_tokens"]!.GetValue<int>();
        }
    }
}
