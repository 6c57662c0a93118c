using System.Net;
using System.Text.Json.Nodes;
using Hearth.Tests.Shared;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>A turn happens once, and what is deleted stays deleted.</summary>
public sealed class PromiseTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    /// <summary>INV-12: the answer is cut off after the commit, and the turn sent again through another gateway.</summary>
    [Fact]
    public async Task ATurnWhoseAnswerWasCutOffIsNotRunAgain()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var url = rig.Client(0).Url;
        await using var proxy = new FaultProxy(new IPEndPoint(IPAddress.Parse(url.Host), url.Port), seed: 7);
        using var cut = new GatewayClient($"http://{proxy.Address}");
        var conversation = Cluster.Conversation("once");
        await rig.Client(0).ChatAsync(Turns.Brief(conversation, Turns.Opening), Cancellation);
        // A reply that is not streamed is sent when it is committed: to cut its first byte is to cut after the commit.
        proxy.Replies = new FaultPlan { CutAfter = 1 };
        var body = Turns.Brief(conversation, "What is my name?");
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => cut.ChatAsync(Clone(body), Cancellation, "once-key"));
        Assert.Equal(1, proxy.Cuts);
        var again = await rig.Client(1).ChatAsync(Clone(body), Cancellation, "once-key");
        var third = await rig.Client(0).ChatAsync(Clone(body), Cancellation, "once-key");
        Assert.Equal(again.Body, third.Body);
        var seen = await rig.Client(1).DescribeAsync(conversation, Cancellation);
        Assert.Equal(2, seen!["turns"]!.GetValue<int>());
        var other = await rig.Client(1).TryChatAsync(Turns.Brief(conversation, "Something else."), Cancellation, "once-key");
        Assert.Equal(409, other.Status);
    }

    /// <summary>INV-12: the owner dies after the commit.</summary>
    [Fact]
    public async Task ATurnSentAgainAfterItsSiloDiedHasTheSameBody()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var conversation = Cluster.Conversation("again");
        var body = Turns.Brief(conversation, Turns.Opening);
        var first = await rig.Client(0).ChatAsync(Clone(body), Cancellation, "again-key");
        rig.SiloOf(first.Silo).Kill();
        var second = await rig.Client(1).ChatAsync(Clone(body), Cancellation, "again-key");
        Assert.Equal(first.Body, second.Body);
    }

    /// <summary>INV-12: duplicates at once, through both gateways.</summary>
    [Fact]
    public async Task DuplicatesAtOnceAreOneTurn()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var conversation = Cluster.Conversation("thirty-two");
        var body = Turns.Brief(conversation, Turns.Opening);
        var replies = await Task.WhenAll(Enumerable.Range(0, 32).Select(i =>
            rig.Client(i % 2).ChatAsync(Clone(body), Cancellation, "crowd-key")));
        Assert.Single(replies.Select(r => r.Body).Distinct());
        var seen = await rig.Client().DescribeAsync(conversation, Cancellation);
        Assert.Equal(1, seen!["turns"]!.GetValue<int>());
    }

    /// <summary>INV-14: a delete wins over the reply that is being made.</summary>
    [Fact]
    public async Task ADeletedConversationStaysDeleted()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        using var stream = await rig.Client(0).StreamAsync(Turns.Seeded(Cluster.Conversation("deleted"), 2000), Cancellation);
        Assert.True(await stream.ReadAsync(10, Cancellation));
        Assert.Equal(200, await DeleteAsync(rig.Client(1), stream.Conversation));
        await Record.ExceptionAsync(() => stream.ReadToEndAsync(Cancellation));
        Assert.False(stream.IsDone);
        for (var i = 0; i < 2; i++)
            Assert.Null(await rig.Client(i).DescribeAsync(stream.Conversation, Cancellation));
        Assert.Equal(404, await DeleteAsync(rig.Client(0), stream.Conversation));
    }

    /// <summary>INV-14: nor does an owner resurrect it that slept through the delete.</summary>
    [Fact]
    public async Task AnOwnerThatSleptThroughTheDeleteWritesNothing()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        using var stream = await rig.Client(0).StreamAsync(Turns.Seeded(Cluster.Conversation("slept"), 2000), Cancellation);
        Assert.True(await stream.ReadAsync(10, Cancellation));
        var owner = rig.SiloOf(stream.Silo);
        owner.Pause();
        Assert.Equal(200, await DeleteAsync(rig.Client(1), stream.Conversation));
        owner.Resume();
        await Record.ExceptionAsync(() => stream.ReadToEndAsync(Cancellation));
        Assert.False(stream.IsDone);
        Assert.Null(await rig.Client(1).DescribeAsync(stream.Conversation, Cancellation));
        // Declared dead or not by now: the next test counts on nobody who may end any moment.
        owner.Kill();
    }

    static JsonObject Clone(JsonObject body) => (JsonObject)body.DeepClone();

    static async Task<int> DeleteAsync(GatewayClient client, string conversation) =>
        (await client.SendAsync(HttpMethod.Delete, $"admin/conversations/{conversation}", null, Cancellation)).Status;
}
