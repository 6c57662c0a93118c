using Hearth.Engine.Checkpoints;
using Hearth.Engine.Models;
using Xunit;

namespace Hearth.Engine.Tests.Checkpoints;

/// <summary>Whole directories that cannot be served: the message names the file, the field or tensor, and what to do.</summary>
public sealed class CheckpointHostileTests
{
    [Fact]
    public void ASoundCheckpointLoads()
    {
        using var files = new CheckpointFiles();
        var progress = new List<LoadProgress>();
        using var model = Load(files, new ModelOptions { Name = "small", Threads = 1, Progress = progress.Add });
        var card = model.Card;
        Assert.Equal(("small", "llama", 16, 64), (card.Name, card.Family, card.VocabularySize, card.ContextLength));
        Assert.Equal([2, 3], model.Card.EosTokens);
        Assert.Equal(CheckpointFiles.Tensors.Sum(t => t.Shape.Aggregate(1, (a, b) => a * b)), model.Card.Parameters);
        Assert.Equal(1, progress[^1].Fraction);
    }

    [Fact]
    public void TheFingerprintChangesWithEveryWeightAndWithTheTypeOfTheCache()
    {
        using var files = new CheckpointFiles();
        var first = FingerprintOf(files);
        Assert.Equal(first, FingerprintOf(files));
        Assert.NotEqual(first, FingerprintOf(files, Kernels.DType.F16));
        var bytes = File.ReadAllBytes(files.PathOf("model.safetensors"));
        bytes[^3] ^= 1;
        files.Write("model.safetensors", bytes);
        Assert.NotEqual(first, FingerprintOf(files));
    }

    [Theory]
    [InlineData("\"llama\"", "\"mamba\"", "model_type", "supported are bloom, cohere")]
    [InlineData("\"model_type\": \"llama\",", "", "model_type", "missing")]
    [InlineData("\"hidden_size\": 8", "\"hidden_size\": 1e9", "hidden_size", "whole number")]
    [InlineData("\"hidden_size\": 8", "\"hidden_size\": \"8\"", "hidden_size", "whole number")]
    [InlineData("\"hidden_size\": 8,", "", "hidden_size", "missing")]
    [InlineData("\"hidden_size\": 8", "\"hidden_size\": 8, \"hidden_size\": 8", null, "JSON")]
    [InlineData("\"vocab_size\": 16", "\"vocab_size\": -16", "vocab_size", "whole number")]
    [InlineData("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 100000", "num_hidden_layers", "whole number")]
    [InlineData("\"num_attention_heads\": 2", "\"num_attention_heads\": 3", "num_attention_heads", "divide")]
    [InlineData("\"num_attention_heads\": 2", "\"num_attention_heads\": 0", "num_attention_heads", "whole number")]
    [InlineData("[2, 3]", "[2, 99]", "eos_token_id", "list of whole numbers")]
    [InlineData("[2, 3]", "[2, 3], \"rope_scaling\": {\"type\": \"magic\"}", "rope_scaling.rope_type", "supported are")]
    [InlineData("[2, 3]", "[2, 3], \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 0}", "rope_scaling.factor", "number from")]
    [InlineData("[2, 3]", "[2, 3], \"rope_scaling\": {\"type\": \"linear\"}", "rope_scaling.factor", "missing")]
    [InlineData("[2, 3]", "[2, 3], \"rope_scaling\": \"linear\"", "rope_scaling", "object")]
    [InlineData("[2, 3]", "[2, 3], \"hidden_act\": \"mish\"", "hidden_act", "supported are silu")]
    [InlineData("[2, 3]", "[2, 3]]", null, "JSON")]
    public void AConfigThatMakesNoModelIsRefusedByField(string part, string spoiled, string? field, string reason)
    {
        using var files = new CheckpointFiles();
        Assert.Contains(part, CheckpointFiles.Config, StringComparison.Ordinal);
        files.Write("config.json", CheckpointFiles.Config.Replace(part, spoiled, StringComparison.Ordinal));
        var error = Refusal(files);
        Assert.Equal(field, error.Item);
        Assert.Contains("config.json", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATensorThatIsMissingOrMisshapenOrOfAnotherTypeIsNamed()
    {
        using var files = new CheckpointFiles();
        foreach (var (name, shape) in CheckpointFiles.Tensors)
        {
            files.Write("model.safetensors", CheckpointFiles.Safetensors(CheckpointFiles.Tensors.Where(t => t.Name != name)));
            Assert.Equal(name, Refusal(files).Item);
            files.Write("model.safetensors", CheckpointFiles.Safetensors(
                CheckpointFiles.Tensors.Select(t => t.Name == name ? (name, [.. shape[..^1], shape[^1] + 1]) : t)));
            Assert.Equal(name, Refusal(files).Item);
        }
        var bytes = CheckpointFiles.Safetensors(CheckpointFiles.Tensors);
        var at = bytes.AsSpan().LastIndexOf("F32"u8);
        "I32"u8.CopyTo(bytes.AsSpan(at));
        files.Write("model.safetensors", bytes);
        Assert.Contains("F32, F16 and BF16", Refusal(files).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../model-1.safetensors", "not a safetensors file of this directory")]
    [InlineData("/etc/passwd", "not a safetensors file of this directory")]
    [InlineData("..\\\\model-1.safetensors", "not a safetensors file of this directory")]
    [InlineData("model-9.safetensors", "missing")]
    [InlineData("model-2.safetensors", "not in this file")]
    public void AnIndexThatLeadsAstrayIsRefused(string file, string reason)
    {
        using var files = new CheckpointFiles();
        Shard(files, "model.norm.weight", file);
        Assert.Contains(reason, Refusal(files).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ShardsLoadAndATruncatedLastOneIsNamed()
    {
        using var files = new CheckpointFiles();
        Shard(files, "model.norm.weight", "model-1.safetensors");
        Load(files, new ModelOptions { Threads = 1 }).Dispose();
        var last = File.ReadAllBytes(files.PathOf("model-2.safetensors"));
        files.Write("model-2.safetensors", last[..^1]);
        Assert.Equal(files.PathOf("model-2.safetensors"), Refusal(files).File);
        files.Write("model.safetensors.index.json", "{}");
        Assert.Equal("weight_map", Refusal(files).Item);
    }

    [Fact]
    public void ADirectoryWithoutACheckpointIsRefused()
    {
        using var files = new CheckpointFiles();
        files.Delete("model.safetensors");
        Assert.Contains("Convert the weights", Refusal(files).Message, StringComparison.Ordinal);
        files.Write("config.json", new string(' ', 2 << 20));
        Assert.Contains("bytes", Refusal(files).Message, StringComparison.Ordinal);
        files.Delete("config.json");
        Assert.Contains("config.json", Refusal(files).Message, StringComparison.Ordinal);
    }

    /// <summary>Half of the tensors in each of two shards; the index gives one of them another place.</summary>
    static void Shard(CheckpointFiles files, string moved, string to)
    {
        var shards = CheckpointFiles.Tensors.Index()
            .GroupBy(t => t.Index < 6 || t.Item.Name == "model.norm.weight" ? 1 : 2, t => t.Item).ToArray();
        var map = new List<string>();
        foreach (var shard in shards)
        {
            var name = $"model-{shard.Key}.safetensors";
            files.Write(name, CheckpointFiles.Safetensors(shard));
            map.AddRange(shard.Select(t => $"\"{t.Name}\": \"{(t.Name == moved ? to : name)}\""));
        }
        files.Delete("model.safetensors");
        files.Write("model.safetensors.index.json", $$"""{"weight_map": { {{string.Join(", ", map)}} } }""");
    }

    static LoadedModel Load(CheckpointFiles files, ModelOptions options) =>
        LoadedModel.Load(files.Directory, options, TestContext.Current.CancellationToken);

    static CheckpointException Refusal(CheckpointFiles files) =>
        Assert.Throws<CheckpointException>(() => Load(files, new ModelOptions { Threads = 1 }));

    static string FingerprintOf(CheckpointFiles files, Kernels.DType type = Kernels.DType.F32)
    {
        using var model = Load(files, new ModelOptions { Threads = 1, KvType = type });
        return model.Card.Fingerprint;
    }
}
