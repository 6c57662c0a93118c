using System.ClientModel;
using System.ClientModel.Primitives;
using Hearth.Cluster.Tests.Faults;
using Hearth.Cluster.Tests.Rig;
using OpenAI;
using OpenAI.Chat;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>INV-37: every silo and every gateway is restarted, one after the other, under load from the official OpenAI client behind
/// what stands for a load balancer. No turn fails, and the caches are warm afterwards.</summary>
public sealed class RollingRestartTests
{
    const int Chats = 8;

    [Fact]
    public Task ARollingRestartFailsNoTurnAndKeepsTheCachesWarm() => SharedCluster.OnItsOwnAsync(
        new RigOptions { Silos = 2, Gateways = 2 }, rig => RunAsync(rig, TestContext.Current.CancellationToken));

    static async Task RunAsync(ClusterRig rig, CancellationToken cancellation)
    {
        await using var balancer = new Balancer(() => [.. rig.Gateways.Where(g => !g.Stopping).Select(g => rig.Client(g).Url)]);
        var chats = Enumerable.Range(0, Chats).Select(i => new SdkChat(balancer.Url, i)).ToList();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var talking = chats.Select(c => c.TalkAsync(stop.Token)).ToList();
        await ClusterRig.UntilAsync(() => Task.FromResult(chats.All(c => c.Turns >= 2)), "first turns", cancellation);
        Assert.DoesNotContain(talking, t => t.IsFaulted);
        foreach (var silo in rig.Silos)
        {
            await rig.AddSiloAsync(cancellation);
            await rig.UntilSilosAsync(silos => silos.Count(s => s.Status == "active") == rig.Silos.Count, cancellation);
            silo.Terminate();
            Assert.Equal(0, await silo.EndAsync(TimeSpan.FromSeconds(60), cancellation));
        }
        foreach (var gateway in rig.Gateways)
        {
            await rig.AddGatewayAsync(cancellation);
            gateway.Terminate();
            Assert.Equal(0, await gateway.EndAsync(TimeSpan.FromSeconds(60), cancellation));
        }
        var turns = chats.Select(c => c.Turns).ToList();
        await ClusterRig.UntilAsync(() => Task.FromResult(
            talking.Exists(t => t.IsFaulted) || chats.Zip(turns).All(c => c.First.Turns >= c.Second + 1)), "last turns", cancellation);
        await stop.CancelAsync();
        await Task.WhenAll(talking);
        // Every token of a chat's history is in some cache when its next turn comes; the first turn of each has none.
        var (cached, history) = (chats.Sum(c => c.Cached), chats.Sum(c => c.History));
        TestContext.Current.SendDiagnosticMessage("{0} turns, {1:P1} of {2} tokens of history cached", chats.Sum(c => c.Turns), (double)cached / history, history);
        Assert.True(cached >= 0.95 * history, $"{cached} of {history}");
    }

    /// <summary>A conversation through the official client, without a retry.</summary>
    sealed class SdkChat(Uri url, int number)
    {
        const int TurnsMax = 40;

        readonly ChatClient _client = new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions
        {
            Endpoint = new Uri(url, "v1"),
            RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
        }).GetChatClient("demo");
        readonly List<ChatMessage> _messages = [];
        int _turns;
        int _lastTokens;

        public int Turns => Volatile.Read(ref _turns);
        public long Cached { get; private set; }
        public long History { get; private set; }

        public async Task TalkAsync(CancellationToken stop)
        {
            var options = new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 24 };
            while (!stop.IsCancellationRequested)
            {
                if (_messages.Count == 2 * TurnsMax)
                {
                    _messages.Clear();
                    _lastTokens = 0;
                }
                _messages.Add(new UserChatMessage($"Chat {number}.{_turns / TurnsMax}: please count to {3 + _turns % 5}."));
                // Not cancelled: a turn that has begun must end well.
                ChatCompletion reply = await _client.CompleteChatAsync(_messages, options, CancellationToken.None);
                _messages.Add(new AssistantChatMessage(reply.Content[0].Text));
                (Cached, History) = (Cached + reply.Usage.InputTokenDetails.CachedTokenCount, History + _lastTokens);
                // The reply's last token ends it, and is never a key or value for the next turn by itself.
                _lastTokens = reply.Usage.InputTokenCount + reply.Usage.OutputTokenCount - 1;
                Interlocked.Increment(ref _turns);
            }
        }
    }
}
