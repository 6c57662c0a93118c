using System.Diagnostics;
using System.Text;
using Hearth.Engine.Checkpoints;
using Xunit;

namespace Hearth.Engine.Tests.Checkpoints;

/// <summary>A weight file from a stranger is read soundly or refused with its name, at once and without much memory.</summary>
public sealed class SafetensorsHostileTests
{
    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}""", 0, "overflows")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,0]}}""", 0, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[0],"data_offsets":[9223372036854775807,9223372036854775807]}}""", 0, "past")]
    [InlineData("""{"a":{"dtype":"U8","shape":[0],"data_offsets":[5,5]}}""", 0, "hole")]
    [InlineData(
        """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}""",
        3, "overlap")]
    [InlineData(
        """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}""",
        3, "twice")]
    [InlineData("""{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}""", 1, "data_offsets")]
    [InlineData("""{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}""", 4, "dtype")]
    [InlineData("""{"\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "JSON")]
    [InlineData("""{"a":7}""", 0, "object")]
    [InlineData("""{} {}""", 0, "JSON")]
    [InlineData("""{"__metadata__":{"a":{}}}""", 0, "strings")]
    [InlineData("""{"a":{"x":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}}""", 0, "JSON")]
    public void AnUnsoundHeaderIsRefusedWithItsReason(string header, int dataBytes, string reason)
    {
        var file = CheckpointFiles.File(header, dataBytes);
        var error = Assert.Throws<CheckpointException>(
            () => SafetensorsHeader.Parse("weights.bin", file.AsSpan(8..^dataBytes), file.Length));
        Assert.StartsWith("weights.bin: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    /// <summary>Random damage to sound files: what is accepted lies within the file, what is refused is refused in
    /// words.</summary>
    [Fact]
    public void NoDamageLeadsOutOfTheFile()
    {
        var random = new Random(5);
        var sound = CheckpointFiles.Safetensors(CheckpointFiles.Tensors);
        var headerBytes = SafetensorsHeader.Measure("", sound, sound.Length);
        string[] pieces =
            ["0", "-1", "9223372036854775807", "[]", "{}", "null", "\"", "18446744073709551615", "1e999", "\\u0000", ",", "]"];
        var (accepted, refused) = (0, 0);
        for (var round = 0; round < 20_000; round++)
        {
            var header = sound.AsSpan(8, headerBytes).ToArray().ToList();
            for (var i = random.Next(1, 4); i > 0; i--)
            {
                var at = random.Next(1, header.Count);
                if (random.Next(2) == 0)
                {
                    header[at] = (byte)random.Next(256);
                    continue;
                }
                header.RemoveRange(at, Math.Min(random.Next(6), header.Count - at));
                header.InsertRange(at, Encoding.UTF8.GetBytes(pieces[random.Next(pieces.Length)]));
            }
            var dataBytes = random.Next(3) switch { 0 => sound.Length - headerBytes - 8, 1 => 0, _ => random.Next(2000) };
            var length = 8L + header.Count + dataBytes;
            try
            {
                var tensors = SafetensorsHeader.Parse("f", header.ToArray(), length);
                Assert.All(tensors, t => Assert.InRange(t.Offset, 8 + header.Count, length - t.Length));
                accepted++;
            }
            catch (CheckpointException)
            {
                refused++;
            }
        }
        Assert.True(accepted > 0 && refused > accepted, $"{accepted} accepted, {refused} refused: the damage proves nothing");
    }

    /// <summary>Files of 100 MB that are nothing but header: many tensors, one endless name, blanks, a length that
    /// lies.</summary>
    [Theory]
    [InlineData("\"#\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},", "more than")]
    [InlineData("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "JSON")]
    [InlineData("                                                                    ", "JSON")]
    public void AHugeHeaderIsRefusedSoon(string piece, string reason)
    {
        var text = new StringBuilder("{", 99_000_000);
        for (var i = 0; text.Length < 98_900_000; i++)
            text.Append(piece.Replace("#", $"{i}", StringComparison.Ordinal));
        using var files = new CheckpointFiles();
        var path = files.Write("model.safetensors", CheckpointFiles.File(text.ToString(), 0));
        text.Clear();
        var (before, watch) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.StartNew());
        var error = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 128L << 20);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void ATruncatedOrMissingOrUnreadableFileIsRefused()
    {
        using var files = new CheckpointFiles();
        var sound = CheckpointFiles.Safetensors(CheckpointFiles.Tensors);
        foreach (var length in new[] { 0, 1, 7, 8, 9, 500, sound.Length - 1 })
        {
            var path = files.Write("cut.safetensors", sound[..length]);
            Assert.Equal(path, Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path)).File);
        }
        Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(files.PathOf("none.safetensors")));
        Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(files.Directory));
    }
}
