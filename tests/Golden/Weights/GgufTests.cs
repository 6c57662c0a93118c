using System.Text.Json.Nodes;
using Hearth.Engine.Checkpoints;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>GGUF and safetensors of the same weights are the same model.</summary>
public sealed class GgufTests
{
    /// <summary>Those of the families that GGUF is read for, but for settings that GGUF has no field for.</summary>
    public static TheoryData<string> Models => [.. ModelTests.Models.Select(m => m.Data).Where(IsRead)];

    [Theory, MemberData(nameof(Models))]
    public void TheSameWeightsGiveTheSameLogitsAndTokens(string model)
    {
        using var files = new TemporaryFolder();
        var directory = Source(model, files);
        using var reference = new Reference(GoldenFolder.At("models", model));
        File.WriteAllBytes(files.At("model.gguf"), new GgufConversion(directory).Writer.ToBytes());
        using var rig = new Rig(directory);
        using var gguf = new Rig(files.At("model.gguf"));
        Assert.Equal("model", gguf.Model.Card.Name);
        Assert.Equal(rig.Model.Card.Parameters, gguf.Model.Card.Parameters);
        var (logits, same) = (rig.Run((rig.Begin(), reference.InputIds)), gguf.Run((gguf.Begin(), reference.InputIds)));
        if (IsStretchedByFactors(model))
            Assert.InRange(Reference.Deviation(same, logits), 0, 1e-4f);
        else
            Assert.Equal(logits, same);
        var expected = Reference.Ids(reference.Json.GetProperty("greedy").GetProperty("tokens"));
        Assert.Equal(rig.Greedy(reference.InputIds, expected.Length).Ids, gguf.Greedy(reference.InputIds, expected.Length).Ids);
        if (directory != files.Path)
            Assert.Equal(expected, gguf.Greedy(reference.InputIds, expected.Length).Ids);
    }

    /// <summary>Each format beside its numbers as f32 in a safetensors file: to the bit.</summary>
    [Theory, InlineData(GgmlType.F32), InlineData(GgmlType.F16), InlineData(GgmlType.BF16), InlineData(GgmlType.Q8_0),
        InlineData(GgmlType.Q4_0), InlineData(GgmlType.Q4_1), InlineData(GgmlType.Q5_0), InlineData(GgmlType.Q5_1),
        InlineData(GgmlType.Q4_K), InlineData(GgmlType.Q5_K), InlineData(GgmlType.Q6_K)]
    public void EveryTypeGivesTheLogitsOfItsNumbers(GgmlType number)
    {
        var type = Enum.Parse<StoredType>(number.ToString()).Weight()!.Value;
        using var files = new TemporaryFolder();
        SmallLlama.Write(files, type, (uint)number);
        using var plain = new Rig(files.Path);
        using var gguf = new Rig(files.At("model.gguf"));
        int[] prompt = [.. Enumerable.Range(0, 40).Select(i => i * 7 % SmallLlama.Vocabulary)];
        var expected = plain.Run((plain.Begin(), prompt));
        Assert.All(expected, logit => Assert.True(float.IsFinite(logit)));
        Assert.Equal(expected, gguf.Run((gguf.Begin(), prompt)));
        Assert.Contains(type.ToString(), gguf.Model.Formats.Select(f => f.Format));
    }

    /// <summary>The checkpoint; of newer Gemmas one that scales as published ones do: GGUF has no field for it.</summary>
    static string Source(string model, TemporaryFolder files)
    {
        var directory = GoldenFolder.At("models", model);
        if (model is not ("gemma2" or "gemma3_text"))
            return directory;
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "config.json")))!;
        config["query_pre_attn_scalar"] = (int)config["head_dim"]!;
        File.WriteAllText(files.At("config.json"), config.ToJsonString());
        File.CreateSymbolicLink(files.At("model.safetensors"), Path.Combine(directory, "model.safetensors"));
        return files.Path;
    }

    static bool IsRead(string model) =>
        model is not ("llama_rope_dynamic" or "qwen2_sliding" or "qwen2_moe" or "qwen3_moe")
        && GgufConfig.Architectures.Any(a => model.StartsWith(a, StringComparison.Ordinal));

    /// <summary>Such files hold the rotation's factors in f32.</summary>
    static bool IsStretchedByFactors(string model) => model is "llama3_gqa" or "phi3_longrope";

    /// <summary>The types with ggml's numbers.</summary>
    public enum GgmlType : uint
    {
        F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q4_K = 12, Q5_K = 13, Q6_K = 14, BF16 = 30,
    }
}
