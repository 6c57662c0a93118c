using Hearth.Engine.Checkpoints;
using Hearth.Engine.Models;
using Hearth.Engine.Tests.Checkpoints;
using Xunit;

namespace Hearth.Engine.Tests.Models;

/// <summary>What the golden models do not show of config.json's meaning.</summary>
public sealed class ModelSpecTests
{
    [Theory]
    [InlineData("\"mistral\"", "", 4096)]
    [InlineData("\"mistral\"", ", \"sliding_window\": null", 0)]
    [InlineData("\"mistral\"", ", \"sliding_window\": 32", 32)]
    [InlineData("\"qwen2\"", ", \"sliding_window\": 32", 0)]
    [InlineData("\"qwen2\"", ", \"sliding_window\": 32, \"use_sliding_window\": true", 0)]
    [InlineData("\"qwen2\"", ", \"sliding_window\": 32, \"use_sliding_window\": true, \"max_window_layers\": 0", 32)]
    [InlineData("\"qwen2\"",
        ", \"sliding_window\": 32, \"use_sliding_window\": true, \"layer_types\": [\"sliding_attention\"]", 32)]
    public void TheWindowIsThatOfTheFamily(string family, string fields, int window) =>
        Assert.Equal(window, Describe(family, fields).Layers[0].Attention.Window);

    [Theory]
    [InlineData("", 64)]
    [InlineData(", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}", 256)]
    [InlineData(", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}", 128)]
    [InlineData(", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 64}", 256)]
    [InlineData(", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2.0, \"original_max_position_embeddings\": 16}", 64)]
    public void StretchedPositionsLengthenTheContext(string fields, int context) =>
        Assert.Equal(context, Describe("\"llama\"", fields).ContextLength);

    /// <summary>Computed apart in f64 from the paper's formulas, with base 10000 and the factor 8.</summary>
    [Theory]
    [InlineData(64, new[] { 1, 0.2239947, 0.04166667, 0.003952847, 0.00125, 0.0003952847, 0.000125, 3.952847e-05 })]
    [InlineData(4096, new[] { 1, 0.3162278, 0.1, 0.02470529, 0.005625, 0.001087033, 0.000125, 3.952847e-05 })]
    public void YarnStretchesByTheTrainedContext(int trained, double[] expected)
    {
        var rope = new RopeFrequencies(new RopeSpec(RopeKind.Yarn, 16, 10000, trained) { Factor = 8 });
        Assert.Equal(expected, rope.At(1).ToArray().Select(f => (double)f), (a, b) => Math.Abs(a - b) <= 1e-6 * a);
    }

    /// <summary>Of six heads, from the paper's recipe for other numbers than powers of two.</summary>
    [Fact]
    public void SlopesOfSixHeadsAreThoseOfFourAndTheOnesBetween()
    {
        double[] expected = [1 / 4d, 1 / 16d, 1 / 64d, 1 / 256d, 1 / 2d, 1 / 8d];
        Assert.Equal(expected, Alibi.Slopes(6));
        Assert.Equal(expected, Alibi.SlopesFromAll(6));
        Assert.Equal([.. Enumerable.Range(1, 16).Select(i => Math.Pow(2, -i / 2.0))], Alibi.Slopes(16));
    }

    static ModelSpec Describe(string family, string fields)
    {
        using var files = new CheckpointFiles();
        files.Write("config.json", CheckpointFiles.Config.Replace("\"llama\"", family, StringComparison.Ordinal)
            .Replace("[2, 3]", "[2, 3]" + fields, StringComparison.Ordinal));
        using var checkpoint = Checkpoint.Open(files.Directory);
        return Family.Describe(checkpoint);
    }
}
