using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

public sealed class MigrationTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    const int Tokens = 2000;

    /// <summary>INV-17, as the client sees it.</summary>
    [Fact]
    public async Task AReplyThatIsMovedBackAndForthIsTheSame()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var expected = await Cluster.BaselineAsync(Tokens);
        using var stream = await rig.Client(0).StreamAsync(Turns.Seeded(Cluster.Conversation("moved"), Tokens), Cancellation);
        var reading = stream.ReadToEndAsync(Cancellation);
        var owners = new List<string> { stream.Silo };
        for (var i = 0; !reading.IsCompleted && i < 6; i++)
        {
            var target = rig.Silos.First(s => s.Name != owners[^1].Split('/')[0]);
            var (status, body) = await rig.Client(1).SendAsync(HttpMethod.Post, $"admin/conversations/{stream.Conversation}/migrate",
                new JsonObject { ["silo"] = target.Name }, Cancellation);
            Assert.True(status == 200, body);
            owners.Add(JsonNode.Parse(body)!["silo"]!.GetValue<string>());
        }
        await reading;
        Assert.True(stream.IsDone, stream.Error);
        Assert.Equal(expected, stream.Text);
        Assert.True(owners.Distinct().Count() == 2, string.Join(", ", owners));
        var next = await rig.Client(0).ChatAsync(Turns.Brief(stream.Conversation, "Please count to three."), Cancellation);
        Assert.Equal((owners[^1], "hit"), (next.Silo, next.Cache));
    }

    [Fact]
    public async Task AnIdleConversationTakesItsCacheAlong()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        var conversation = Cluster.Conversation("idle");
        var first = await rig.Client().ChatAsync(Turns.Brief(conversation, Turns.Opening), Cancellation);
        var (status, body) = await rig.Client().SendAsync(HttpMethod.Post, $"admin/conversations/{conversation}/migrate", [], Cancellation);
        Assert.True(status == 200, body);
        var second = await rig.Client().ChatAsync(Turns.Brief(conversation, "What is my name?"), Cancellation);
        Assert.NotEqual(first.Silo, second.Silo);
        Assert.Equal("hit", second.Cache);
        Assert.True(second.CachedTokens >= first.PromptTokens, $"{second} after {first}");
    }
}
