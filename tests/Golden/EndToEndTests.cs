using System.Text.Json;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>Whole checkpoints as they are published: the rendered prompt's ids in, the reply's ids and probabilities
/// out.</summary>
public sealed class EndToEndTests
{
    /// <summary>The reference's log-probabilities are rounded to five digits.</summary>
    const float Tolerance = 1.1e-4f;

    [Theory, InlineData("llama3_chat"), InlineData("mistral_chat"), InlineData("qwen25_chat")]
    public void RepliesHaveTheSameIdsAndProbabilities(string name)
    {
        using var rig = new Rig(GoldenFolder.At("e2e", name));
        foreach (var item in Json(GoldenFolder.At("e2e", name, "e2e.json")).GetProperty("cases").EnumerateArray())
        {
            var expected = Reference.Ids(item.GetProperty("greedy_ids"));
            var (ids, logits) = rig.Greedy(Reference.Ids(item.GetProperty("prompt_ids")), expected.Length);
            Assert.Equal(expected, ids);
            var step = 0;
            foreach (var top in item.GetProperty("top5").EnumerateArray())
                AssertTop(top, logits.AsSpan(step++ * rig.Vocabulary, rig.Vocabulary));
        }
    }

    [Theory, InlineData("llama3_chat"), InlineData("mistral_chat"), InlineData("qwen25_chat")]
    public void TheIdsThatEndAReplyAreThoseOfTheGenerationConfig(string name)
    {
        using var rig = new Rig(GoldenFolder.At("e2e", name));
        var ids = Json(GoldenFolder.At("e2e", name, "generation_config.json")).GetProperty("eos_token_id");
        Assert.Equal(ids.ValueKind == JsonValueKind.Array ? Reference.Ids(ids) : [ids.GetInt32()], rig.Model.Card.EosTokens);
    }

    [Fact]
    public void TheDemoModelGivesItsRecordedReplies()
    {
        var demo = Path.Combine(GoldenFolder.Repository, "models", "demo");
        using var rig = new Rig(demo);
        foreach (var item in Json(Path.Combine(demo, "golden.json")).GetProperty("cases").EnumerateArray())
        {
            var expected = Reference.Ids(item.GetProperty("output_ids_40_ignoring_eos"));
            var (ids, logits) = rig.Greedy(Reference.Ids(item.GetProperty("prompt_ids")), expected.Length);
            Assert.Equal(expected, ids);
            foreach (var top in item.GetProperty("first_step_top5").EnumerateArray())
                Assert.Equal(top.GetProperty("logit").GetSingle(), logits[top.GetProperty("id").GetInt32()], 1e-4f);
        }
    }

    static void AssertTop(JsonElement top, ReadOnlySpan<float> logits)
    {
        var sum = 0d;
        foreach (var logit in logits)
            sum += Math.Exp(logit);
        foreach (var entry in top.EnumerateArray())
            Assert.Equal(entry[1].GetSingle(), (float)(logits[entry[0].GetInt32()] - Math.Log(sum)), Tolerance);
    }

    static JsonElement Json(string file) => JsonDocument.Parse(File.ReadAllBytes(file)).RootElement;
}
