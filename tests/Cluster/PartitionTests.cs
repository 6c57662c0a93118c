using Hearth.Cluster.Tests.Faults;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>INV-09: the side of a partition that does not reach Redis owns nothing.</summary>
public sealed class PartitionTests
{
    [Fact]
    public async Task TheSideWithoutRedisLosesItsConversationsAndComesBackAsOthers()
    {
        if (NetworkSpaces.Missing() is { } missing)
            Assert.Skip(missing);
        var cancellation = TestContext.Current.CancellationToken;
        // Machine 0: gateway and silo of the minority. Machine 1: those of the majority, with Redis on the host.
        await using var spaces = await NetworkSpaces.CreateAsync(2);
        await SharedCluster.OnItsOwnAsync(
            new RigOptions { Silos = 0, Gateways = 0, RedisHost = spaces.HostAddress }, rig => RunAsync(rig, spaces, cancellation));
    }

    static async Task RunAsync(ClusterRig rig, NetworkSpaces spaces, CancellationToken cancellation)
    {
        var silos = Enumerable.Range(0, 2).Select(i => rig.LaunchSilo($"side-{i}",
            ["--listen", $"{spaces.AddressOf(i)}:7070"], enter: spaces.Enter(i))).ToList();
        var gateways = Enumerable.Range(0, 2).Select(i => rig.LaunchGateway(
            $"http://{spaces.AddressOf(i)}:8080", ["--allow-anonymous"], enter: spaces.Enter(i))).ToList();
        foreach (var node in silos.Concat(gateways))
            await rig.ReadyAsync(node, cancellation);
        var (minority, majority) = (rig.Client(gateways[0]), rig.Client(gateways[1]));
        await ClusterRig.UntilAsync(async () => (await TryAsync(majority, "probe", cancellation)) == 200, "a cluster that serves", cancellation);
        var ids = Enumerable.Range(0, 8).Select(i => $"parted-{i}").ToList();
        var first = new Dictionary<string, Reply>();
        foreach (var id in ids)
            first[id] = await majority.ChatAsync(Turns.Brief(id, Turns.Opening), cancellation);
        var cut = ids.Where(id => first[id].Silo.StartsWith("side-0/", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(cut);

        // Only Redis' port on the host: this test still speaks to the minority's gateway.
        await spaces.PartAsync(0, tcpPort: rig.Redis.Port, spaces.HostAddress);
        await spaces.PartAsync(0, tcpPort: null, spaces.AddressOf(1));
        var refused = await minority.TryChatAsync(Turns.Brief(cut[0], "What is my name?"), cancellation);
        Assert.Equal(503, refused.Status);
        Assert.NotNull(refused.RetryAfter);
        foreach (var id in cut)
        {
            var reply = await majority.ChatAsync(Turns.Brief(id, "What is my name?"), cancellation);
            Assert.StartsWith("side-1/", reply.Silo, StringComparison.Ordinal);
            Assert.Contains("Zed", reply.Text, StringComparison.Ordinal);
        }
        await spaces.HealAsync(0);
        Assert.Equal(75, await silos[0].EndAsync(TimeSpan.FromSeconds(20), cancellation));
        var back = rig.LaunchSilo("side-0", ["--listen", $"{spaces.AddressOf(0)}:7070"], enter: spaces.Enter(0));
        await rig.ReadyAsync(back, cancellation);
        var healed = await ClusterReadyAsync(minority, cut[0], cancellation);
        Assert.StartsWith("side-1/", healed.Silo, StringComparison.Ordinal);
        Assert.DoesNotContain(first[cut[0]].Silo, back.Output, StringComparison.Ordinal);
    }

    static async Task<Reply> ClusterReadyAsync(GatewayClient gateway, string conversation, CancellationToken cancellation)
    {
        Reply? reply = null;
        await ClusterRig.UntilAsync(async () =>
        {
            reply = (await gateway.TryChatAsync(Turns.Brief(conversation, "Please count to three."), cancellation)).Reply;
            return reply is not null;
        }, "a reply through the healed gateway", cancellation);
        return reply!;
    }

    static async Task<int> TryAsync(GatewayClient gateway, string conversation, CancellationToken cancellation) =>
        (await gateway.TryChatAsync(Turns.Brief(conversation, "Hello!"), cancellation)).Status;
}
