using Hearth.Cuda;
using Hearth.Cuda.Tests;
using Hearth.Engine.Devices;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>Blocks on a fake card against those in the processor's memory.</summary>
[Collection(FakeCards.Collection)]
public sealed class CudaKvTests
{
    [Theory, InlineData(DType.F32), InlineData(DType.F16), InlineData(DType.BF16)]
    public void BlocksCrossTheLinkInPiecesAndStayTheSameBytes(DType type)
    {
        const int PieceBytes = 1000, Blocks = 5;
        FakeCards.Require();
        var layout = new KvLayout(3, 2, 20, type);
        using var card = new CudaCard(0, FakeCards.CacheFolder, _ => { });
        using var pool = new CudaKvPool(card, layout, Blocks);
        using var blocks = new CudaKvBlocks(pool, PieceBytes);
        using var expected = new KvPool(layout, Blocks);
        var random = new Random(4);
        foreach (var (block, tokens) in (ReadOnlySpan<(int, int)>)[(4, 32), (1, 32), (1, 5), (0, 1), (3, 31), (4, 0)])
        {
            var bytes = new byte[layout.ExportBytes(tokens)];
            random.NextBytes(bytes);
            blocks.Import(block, tokens, bytes);
            expected.Import(block, tokens, bytes);
            blocks.CopyPrefix(block, 2, tokens);
            var (back, copied) = (new byte[bytes.Length], new byte[bytes.Length]);
            blocks.Export(block, tokens, back);
            blocks.Export(2, tokens, copied);
            Assert.Equal(bytes, back);
            Assert.Equal(bytes, copied);
        }
        // What five tokens did not reach is what the 32 before them left.
        var (whole, same) = (new byte[layout.ExportBytes(32)], new byte[layout.ExportBytes(32)]);
        blocks.Export(1, 32, whole);
        expected.Export(1, 32, same);
        Assert.Equal(same, whole);
        Assert.Throws<ArgumentOutOfRangeException>(() => blocks.Export(Blocks, 1, new byte[layout.ExportBytes(1)]));
        Assert.Throws<ArgumentException>(() => blocks.Import(0, 2, new byte[layout.ExportBytes(1)]));
    }
}
