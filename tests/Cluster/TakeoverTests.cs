using System.Diagnostics;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>The owner of a running reply dies or stops: the client's stream goes on elsewhere.</summary>
public sealed class TakeoverTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    const int Tokens = 2000;

    /// <summary>INV-18: no character is missing or comes twice.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    [InlineData(300)]
    public async Task AStreamGoesOnWhenItsSiloIsKilled(int pieces)
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        var expected = await Cluster.BaselineAsync(Tokens);
        using var stream = await rig.Client().StreamAsync(Turns.Seeded(Cluster.Conversation("killed"), Tokens), Cancellation);
        Assert.True(await stream.ReadAsync(pieces, Cancellation));
        var owner = rig.SiloOf(stream.Silo);
        var clock = Stopwatch.StartNew();
        owner.Kill();
        var broken = await Record.ExceptionAsync(() => stream.ReadToEndAsync(Cancellation));
        Assert.True(stream.IsDone, $"{stream.Error} {broken?.Message}");
        Assert.Equal(expected, stream.Text);
        TestContext.Current.SendDiagnosticMessage("killed after {0} pieces, whole after {1} ms", pieces, clock.ElapsedMilliseconds);
        var after = await rig.Client().ChatAsync(Turns.Brief(stream.Conversation, "Please count to three."), Cancellation);
        Assert.NotEqual(owner.Name, after.Silo.Split('/')[0]);
    }

    /// <summary>INV-02 and INV-03: what was stopped while it owned a conversation neither writes nor speaks when it wakes up.</summary>
    [Fact]
    public async Task ASiloThatSleptTooLongIsSilentAndEnds()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        var expected = await Cluster.BaselineAsync(Tokens);
        using var stream = await rig.Client().StreamAsync(Turns.Seeded(Cluster.Conversation("zombie"), Tokens), Cancellation);
        Assert.True(await stream.ReadAsync(20, Cancellation));
        var zombie = rig.SiloOf(stream.Silo);
        zombie.Pause();
        var broken = await Record.ExceptionAsync(() => stream.ReadToEndAsync(Cancellation));
        Assert.True(stream.IsDone, $"{stream.Error} {broken?.Message}");
        Assert.Equal(expected, stream.Text);
        for (var i = 1; i <= 3; i++)
            await rig.Client().ChatAsync(Turns.Brief(stream.Conversation, $"Please count to {i}.", tokens: 8), Cancellation);
        var before = await rig.Client().DescribeAsync(stream.Conversation, Cancellation);
        zombie.Resume();
        Assert.Equal(75, await zombie.EndAsync(TimeSpan.FromSeconds(10), Cancellation));
        Assert.Contains("dead", zombie.Output, StringComparison.Ordinal);
        var after = await rig.Client().DescribeAsync(stream.Conversation, Cancellation);
        Assert.Equal((4, before!["silo"]!.GetValue<string>()), (after!["turns"]!.GetValue<int>(), after["silo"]!.GetValue<string>()));
        await rig.Client().ChatAsync(Turns.Brief(stream.Conversation, "Please count to three."), Cancellation);
    }
}
