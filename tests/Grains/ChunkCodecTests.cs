using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Hearth.Actors;
using Hearth.Grains.Caches;
using Xunit;

namespace Hearth.Grains.Tests;

public class ChunkCodecTests
{
    static readonly GrainId Grain = new("tenant", "conversation");

    [Fact]
    public void EveryFormGivesTheChunkBack()
    {
        foreach (var length in new[] { 1, 2, 3, 4096, 100_001 })
        {
            foreach (var codec in Codecs())
            {
                var plain = LikeKeysAndValues(length);
                var (data, form) = codec.Encode(Grain, "b", plain);
                Assert.Equal(plain, codec.Decode(Grain, "b", data.ToArray(), form, length)!.Value.ToArray());
            }
        }
    }

    [Fact]
    public void AnEncryptedChunkThatIsNotExactlyTheOneWrittenIsRefused()
    {
        var codec = new ChunkCodec(false, Keys(1));
        var plain = LikeKeysAndValues(64);
        var (data, form) = codec.Encode(Grain, "b", plain);
        for (var bit = 0; bit < data.Length * 8; bit++)
        {
            var broken = data.ToArray();
            broken[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(codec.Decode(Grain, "b", broken, form, plain.Length));
        }
        for (var length = 0; length < data.Length; length++)
            Assert.Null(codec.Decode(Grain, "b", data[..length].ToArray(), form, plain.Length));
        Assert.Null(codec.Decode(Grain, "c", data.ToArray(), form, plain.Length));
        Assert.Null(codec.Decode(new GrainId("other", Grain.Name), "b", data.ToArray(), form, plain.Length));
        Assert.Null(codec.Decode(Grain, "b", data.ToArray(), form | ChunkForm.Compressed, plain.Length));
        Assert.Null(ChunkCodec.None.Decode(Grain, "b", data.ToArray(), form, plain.Length));
    }

    [Fact]
    public void ACompressedChunkThatIsCutOrWrongGivesNothingOrOtherBytesButNeverThrows()
    {
        var codec = new ChunkCodec(true, null);
        var plain = LikeKeysAndValues(5000);
        var (data, form) = codec.Encode(Grain, "b", plain);
        Assert.Equal(ChunkForm.Compressed, form);
        // The last bytes hold only the end mark: without them nothing of the content is missing.
        for (var length = 0; length < data.Length - 8; length += 7)
            Assert.Null(codec.Decode(Grain, "b", data[..length].ToArray(), form, plain.Length));
        for (var at = 0; at < data.Length; at += 3)
        {
            var broken = data.ToArray();
            broken[at] ^= 0x55;
            codec.Decode(Grain, "b", broken, form, plain.Length);
        }
    }

    [Fact]
    public void AnOlderKeyStillDecryptsAndTheFirstOneEncrypts()
    {
        var plain = LikeKeysAndValues(1000);
        var (old, form) = new ChunkCodec(false, Keys(1)).Encode(Grain, "b", plain);
        var rotated = new ChunkCodec(false, Keys(2, 1));
        Assert.Equal(plain, rotated.Decode(Grain, "b", old.ToArray(), form, plain.Length)!.Value.ToArray());
        var (now, _) = rotated.Encode(Grain, "b", plain);
        Assert.Null(new ChunkCodec(false, Keys(1)).Decode(Grain, "b", now.ToArray(), form, plain.Length));
    }

    [Fact]
    public void AKeyFileThatIsNotOneNamesTheLine()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "# keys\n\nshort\n");
            Assert.Contains("line 3", Assert.Throws<FormatException>(() => SpillKeys.Load(path)).Message, StringComparison.Ordinal);
            File.WriteAllText(path, "# none\n");
            Assert.Throws<FormatException>(() => SpillKeys.Load(path));
        }
        finally
        {
            File.Delete(path);
        }
    }

    static ChunkCodec[] Codecs() => [ChunkCodec.None, new(true, null), new(false, Keys(1)), new(true, Keys(1))];

    static SpillKeys Keys(params int[] seeds)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllLines(path, seeds.Select(s => Convert.ToBase64String(SHA256.HashData([(byte)s]))));
            return SpillKeys.Load(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Numbers of f16 with like exponents.</summary>
    static byte[] LikeKeysAndValues(int bytes)
    {
        var random = new Random(bytes);
        var numbers = new Half[(bytes + 1) / 2];
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = (Half)(random.NextDouble() - 0.5);
        return MemoryMarshal.AsBytes<Half>(numbers)[..bytes].ToArray();
    }
}
