using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

public sealed class ChatTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    [Fact]
    public async Task AConversationGoesOnThroughEveryGatewayWithItsCache()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var conversation = Cluster.Conversation("ada");
        var first = await rig.Client(0).ChatAsync(Turns.Brief(conversation, "Hello! My name is Ada."), Cancellation);
        var second = await rig.Client(1).ChatAsync(Turns.Brief(conversation, "What is my name?"), Cancellation);
        Assert.Contains("Ada", second.Text, StringComparison.Ordinal);
        Assert.Equal(("hit", first.Silo), (second.Cache, second.Silo));
        Assert.True(second.CachedTokens >= first.PromptTokens, $"{second} after {first}");
    }

    /// <summary>INV-13: whatever was acknowledged is there for a reader of the other gateway at once.</summary>
    [Fact]
    public async Task AnAcknowledgedTurnIsReadThroughTheOtherGateway()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var conversation = Cluster.Conversation("read");
        for (var turn = 1; turn <= 10; turn++)
        {
            await rig.Client(turn % 2).ChatAsync(Turns.Brief(conversation, $"Please count to {turn}.", tokens: 4), Cancellation);
            var seen = await rig.Client((turn + 1) % 2).DescribeAsync(conversation, Cancellation);
            Assert.Equal(turn, seen!["turns"]!.GetValue<int>());
        }
    }

    /// <summary>INV-13: turns of one conversation run one after the other, whichever gateway they come through.</summary>
    [Fact]
    public async Task ConcurrentTurnsOfOneConversationAreAppendedInSomeOrder()
    {
        const int clients = 8;
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var conversation = Cluster.Conversation("crowd");
        var replies = await Task.WhenAll(Enumerable.Range(0, clients).Select(i =>
            rig.Client(i % 2).TryChatAsync(Turns.Brief(conversation, $"My number is {i}.", tokens: 4), Cancellation)));
        var taken = replies.Where(r => r.Reply is not null).ToList();
        Assert.All(replies.Except(taken), r => Assert.True(r.Status is 409 or 429 or 503, r.Body));
        var seen = await rig.Client().DescribeAsync(conversation, Cancellation);
        Assert.Equal(taken.Count, seen!["turns"]!.GetValue<int>());
        // Each turn's prompt holds all before it: no two are as long.
        Assert.Equal(taken.Count, taken.Select(r => r.Reply!.PromptTokens).Distinct().Count());
    }

    [Fact]
    public async Task AChatThatResendsItsHistoryFindsItsCacheThroughAnotherGateway()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var body = Turns.Brief("-", Cluster.Conversation("Hello! I am"));
        body.Remove("conversation");
        var first = await rig.Client(0).ChatAsync(body, Cancellation);
        var messages = body["messages"]!.AsArray();
        messages.Add(new JsonObject { ["role"] = "assistant", ["content"] = first.Text });
        messages.Add(new JsonObject { ["role"] = "user", ["content"] = "Please count to three." });
        var second = await rig.Client(1).ChatAsync(body, Cancellation);
        Assert.Equal(("hit", first.Silo), (second.Cache, second.Silo));
    }
}
