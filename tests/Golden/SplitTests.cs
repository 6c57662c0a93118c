using Hearth.Engine.Devices;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>A model's layers over several devices, here processors: bit for bit what one device gives.</summary>
public sealed class SplitTests
{
    [Theory, MemberData(nameof(ModelTests.Models), MemberType = typeof(ModelTests))]
    public void LayersOverTwoDevicesGiveTheSameBits(string model)
    {
        var directory = GoldenFolder.At("models", model);
        using var reference = new Reference(directory);
        using var whole = new Rig(directory);
        using var split = new Rig(directory, place: loaded => Placement.OnProcessorInParts(
            loaded, [1, loaded.KvLayout.Layers - 1], 2, Rig.BlocksMax, Rig.RowsMax));
        var ids = reference.InputIds[..60];
        var (one, two) = (whole.Begin(), split.Begin());
        Assert.Equal(whole.Run(one, ids, 40, 1), split.Run(two, ids, 40, 1));
        Assert.Equal(whole.Exported(one, ids.Length), split.Exported(two, ids.Length));
        var moved = split.Adopt(whole, one, ids.Length);
        Assert.Equal(whole.Run((one, [ids[0]])), split.Run((moved, [ids[0]])));
    }

    [Fact]
    public void LayersGoWhereThereIsMemory()
    {
        Assert.Equal([16, 16], LayerSplit.Assign(32, 16L << 30, [20L << 30, 20L << 30]));
        Assert.Equal([8, 24], LayerSplit.Assign(32, 16L << 30, [10L << 30, 30L << 30]));
        Assert.Equal([1, 1, 2], LayerSplit.Assign(4, 4L << 30, [2L << 30, 2L << 30, 4L << 30]));
        Assert.Equal([32], LayerSplit.Assign(32, 16L << 30, [20L << 30]));
        Assert.Contains("--max-memory", Assert.Throws<ArgumentException>(
            () => LayerSplit.Assign(32, 16L << 30, [8L << 30, 8L << 30])).Message);
        Assert.Contains("--device", Assert.Throws<ArgumentException>(
            () => LayerSplit.Assign(1, 1, [8L << 30, 8L << 30])).Message);
    }
}
