using Hearth.Engine.Memory;
using Xunit;

namespace Hearth.Engine.Tests.Memory;

public class KvBlobTests
{
    static readonly KvBlob Format = new("model-1", 32, 6, 4);
    static readonly int[] Tokens = [.. Enumerable.Range(0, 259)];

    [Fact]
    public void TakesWhatItWrote() => Assert.Null(Verify(Format, Blob(), 256, Tokens));

    [Fact]
    public void RefusesEverySingleFlippedBit()
    {
        var blob = Blob();
        for (var bit = 0; bit < blob.Length * 8; bit++)
        {
            blob[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotNull(Verify(Format, blob, 256, Tokens));
            blob[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void RefusesEveryTruncationAndAnyExtension()
    {
        var blob = Blob();
        for (var length = 0; length < blob.Length; length++)
        {
            Assert.NotNull(Verify(Format, blob.AsSpan(0, length), 256, Tokens));
        }

        Assert.NotNull(Verify(Format, [.. blob, 0], 256, Tokens));
    }

    [Fact]
    public void SaysWhatDoesNotMatch()
    {
        var blob = Blob();
        Assert.Contains("model", Verify(new KvBlob("model-2", 32, 6, 4), blob, 256, Tokens));
        Assert.Contains("model", Verify(new KvBlob("model-1", 32, 8, 4), blob, 256, Tokens));
        Assert.Contains("version", Verify(new KvBlob("model-1", 16, 6, 4), blob, 256, Tokens));
        Assert.Contains("tokens", Verify(Format, blob, 256, Tokens.AsSpan(0, 258)));
        Assert.Contains("tokens", Verify(Format, blob, 256, [.. Tokens.Select(token => token + 1)]));
        Assert.Contains("tokens", Verify(Format, blob, 0, Tokens));
        blob[^1] ^= 1;
        Assert.Contains("checksum", Verify(Format, blob, 256, Tokens));
    }

    [Fact]
    public void ComputesTheStandardChecksumOnEveryPath()
    {
        Assert.Equal(0xE3069283u, Crc32C.Compute("123456789"u8));
        var bytes = new byte[30_000];
        new Random(1).NextBytes(bytes);
        foreach (var length in Enumerable.Range(0, 40).Concat([1021, 12_287, 12_288, 12_289, 24_576, 29_999, 30_000]))
        {
            Assert.Equal(~Crc32C.Scalar(~0u, bytes.AsSpan(0, length)), Crc32C.Compute(bytes.AsSpan(0, length)));
            Assert.Equal(~Crc32C.Scalar(~0u, bytes.AsSpan(length)), Crc32C.Compute(bytes.AsSpan(length)));
        }

        // Long enough for several lanes, and a rest of any length.
        var random = new Random(2);
        var large = new byte[40_000];
        random.NextBytes(large);
        for (var i = 0; i < 100; i++)
        {
            var part = large.AsSpan(random.Next(1000), random.Next(39_000));
            Assert.Equal(~Crc32C.Scalar(~0u, part), Crc32C.Compute(part));
        }
    }

    [Fact]
    public void MemoryThatIsGivenBackIsUsedAgainOnceAndSomeOfItIsKept()
    {
        const int size = 100_000;
        var buffers = new BlobBuffers();
        var kept = buffers.Rent(size);
        var first = buffers.Rent(size);
        Assert.Equal(size, first.Memory.Length);
        first.Memory.Span.Fill(1);
        first.Dispose();
        first.Dispose();
        Assert.True(first.Memory.IsEmpty);
        var (second, third) = (buffers.Rent(size - 1), buffers.Rent(size));
        second.Memory.Span.Fill(2);
        third.Memory.Span.Fill(3);
        Assert.Equal(2, second.Memory.Span[^1]);
        Assert.False(kept.Memory.Span.Overlaps(second.Memory.Span));
        Assert.Equal(Limits.BlobBufferBytesMin - 1, buffers.Rent(Limits.BlobBufferBytesMin - 1).Memory.Length);
    }

    static string? Verify(KvBlob format, ReadOnlySpan<byte> blob, int first, ReadOnlySpan<int> tokens) =>
        format.Verify(blob, first, tokens, out _);

    static byte[] Blob()
    {
        var blob = new byte[Format.SizeOf(3, KvContent.Exact)];
        new Random(3).NextBytes(blob);
        Format.Seal(blob, 256, Tokens, KvContent.Exact);
        return blob;
    }
}
