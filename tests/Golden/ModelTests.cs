using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>Every supported model against transformers: f32 keys and values whatever the stored type of the weights.</summary>
public sealed class ModelTests
{
    const float Tolerance = 1e-4f;

    /// <summary>Every folder of the set is a case.</summary>
    public static TheoryData<string> Models =>
    [
        .. Directory.GetDirectories(GoldenFolder.At("models")).Select(d => Path.GetFileName(d)!).Where(IsDecoder)
            .Order(StringComparer.Ordinal),
    ];

    public static TheoryData<string> ModelsWithNewConfig =>
        [.. Models.Select(m => m.Data).Where(m => File.Exists(Path.Combine(GoldenFolder.At("models", m), "config.v5.json")))];

    [Theory, MemberData(nameof(Models))]
    public void LogitsAndCachesAgreeAtEveryPosition(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = new Rig(GoldenFolder.At("models", model));
        var sequence = rig.Begin();
        var logits = rig.Run((sequence, reference.InputIds));
        Assert.InRange(Reference.Deviation(logits, reference.Tensor("logits")), 0, Tolerance);
        for (var layer = 0; layer < rig.Model.KvLayout.Layers; layer++)
        {
            var (keys, values) = reference.Cache(layer);
            Assert.InRange(keys.Deviation(rig.Cache(sequence, layer, true)), 0, Tolerance);
            Assert.InRange(values.Deviation(rig.Cache(sequence, layer, false)), 0, Tolerance);
        }
    }

    [Theory, MemberData(nameof(Models))]
    public void AGreedyContinuationHasTheSameIds(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = new Rig(GoldenFolder.At("models", model));
        var greedy = reference.Json.GetProperty("greedy");
        var expected = Reference.Ids(greedy.GetProperty("tokens"));
        var (ids, logits) = rig.Greedy(reference.InputIds, expected.Length);
        Assert.Equal(expected, ids);
        Assert.InRange(Reference.Deviation(logits, reference.Tensor("greedy.logits")), 0, Tolerance);
    }

    [Theory, MemberData(nameof(Models))]
    public void APromptInChunksAgrees(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = new Rig(GoldenFolder.At("models", model));
        var expected = reference.Incremental();
        var logits = rig.Run(rig.Begin(), reference.InputIds[..72], 40, 24, 1);
        Assert.InRange(Reference.Deviation(logits, expected.AsSpan(0, logits.Length)), 0, Tolerance);
    }

    /// <summary>The reference pads on the left; here the two sequences lie side by side in one batch, at their own
    /// lengths.</summary>
    [Theory, MemberData(nameof(Models))]
    public void TwoSequencesOfABatchAgree(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = new Rig(GoldenFolder.At("models", model));
        var batch = reference.Json.GetProperty("batch");
        var masks = batch.GetProperty("attention_mask").EnumerateArray().Select(Reference.Ids).ToArray();
        var prompts = batch.GetProperty("input_ids").EnumerateArray()
            .Select((ids, i) => Reference.Ids(ids)[^masks[i].Sum()..]).ToArray();
        var (first, second) = (rig.Begin(), rig.Begin());
        var logits = rig.Run((first, prompts[0]), (second, prompts[1]));

        var (rows, expected) = (masks[0].Length * rig.Vocabulary, reference.Tensor("batch.logits"));
        var half = prompts[0].Length * rig.Vocabulary;
        Assert.InRange(Reference.Deviation(logits.AsSpan(0, half), expected.AsSpan(0, rows)[^half..]), 0, Tolerance);
        Assert.InRange(Reference.Deviation(logits.AsSpan(half), expected.AsSpan(rows)[^(logits.Length - half)..]), 0, Tolerance);

        var tokens = new[] { new List<int>(), new List<int>() };
        var (a, b) = (logits.AsSpan(half - rig.Vocabulary, rig.Vocabulary).ToArray(), logits[^rig.Vocabulary..]);
        for (var i = 0; i < 12; i++)
        {
            tokens[0].Add(rig.Best(a));
            tokens[1].Add(rig.Best(b));
            var next = rig.Run((first, [tokens[0][^1]]), (second, [tokens[1][^1]]));
            (a, b) = (next[..rig.Vocabulary], next[rig.Vocabulary..]);
        }
        Assert.Equal(batch.GetProperty("greedy_tokens").EnumerateArray().Select(Reference.Ids), tokens.Select(t => t.ToArray()));
    }

    [Theory, MemberData(nameof(ModelsWithNewConfig))]
    public void TheConfigOfTransformers5GivesTheSameLogits(string model)
    {
        var source = GoldenFolder.At("models", model);
        using var reference = new Reference(source);
        using var rig = new Rig(source);
        using var edited = EditedCheckpoint.WithConfig(source, "config.v5.json");
        using var renamed = new Rig(edited.Directory);
        Assert.Equal(rig.Run((rig.Begin(), reference.InputIds)), renamed.Run((renamed.Begin(), reference.InputIds)));
    }

    static bool IsDecoder(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        return reference.Json.TryGetProperty("greedy", out _) && !reference.Json.TryGetProperty("decoder_input_ids", out _);
    }
}
