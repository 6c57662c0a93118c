using System.Text.Json;
using Hearth.Engine.Checkpoints;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>Hand-made good and bad files of the safetensors format, with their verdicts.</summary>
public sealed class SafetensorsTests
{
    static JsonElement Expected { get; } =
        JsonDocument.Parse(File.ReadAllBytes(GoldenFolder.At("safetensors_format", "expected.json")))
            .RootElement.GetProperty("files");

    public static TheoryData<string> Files => [.. Expected.EnumerateObject().Select(f => f.Name)];

    [Theory, MemberData(nameof(Files))]
    public void EveryFileHasItsVerdict(string name)
    {
        var path = GoldenFolder.At("safetensors_format", name);
        if (Expected.GetProperty(name).GetProperty("verdict").GetString() == "ok")
        {
            using var file = SafetensorsFile.Open(path);
        }
        else
        {
            var error = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
            Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void EveryTypeIsReadByteForByte()
    {
        using var file = SafetensorsFile.Open(GoldenFolder.At("safetensors_format", "ok_all_dtypes.safetensors"));
        var values = Expected.GetProperty("ok_all_dtypes.safetensors").GetProperty("values");
        foreach (var type in Enum.GetValues<StoredType>().Where(type => !type.IsBlock()))
        {
            var tensor = file.Tensors.Single(t => t.Type == type);
            Assert.Equal([2, 3], tensor.Shape);
            Assert.Equal(values.GetProperty($"{type}_hex").GetString(), Convert.ToHexStringLower(file.Data(tensor).Bytes));
        }
    }
}
