using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

public sealed class GatewayTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    const int Tokens = 2000;

    /// <summary>INV-26: the rest of a reply comes through another gateway, from the event after the last one seen.</summary>
    [Fact]
    public async Task AStreamIsResumedThroughAnotherGatewayWhenItsOwnIsKilled()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var expected = await Cluster.BaselineAsync(Tokens);
        using var stream = await rig.Client(0).StreamAsync(Turns.Seeded(Cluster.Conversation("cut"), Tokens), Cancellation);
        Assert.True(await stream.ReadAsync(40, Cancellation));
        rig.Gateways[0].Kill();
        // What the client's kernel has may still be read; then the stream breaks.
        await Assert.ThrowsAnyAsync<IOException>(() => stream.ReadToEndAsync(Cancellation));
        Assert.False(stream.IsDone);
        using var rest = await rig.Client(0).ResumeAsync(stream.Conversation, stream.Turn, stream.LastId, Cancellation);
        await rest.ReadToEndAsync(Cancellation);
        Assert.True(rest.IsDone, rest.Error);
        Assert.Equal(expected, stream.Text + rest.Text);
    }
}
