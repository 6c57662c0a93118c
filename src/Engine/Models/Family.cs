using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>The model families, by config.json's model_type: each maps its fields and parameter names to a
/// <see cref="ModelSpec"/>.</summary>
static class Family
{
    static readonly Dictionary<string, Func<Checkpoint, ModelSpec>> Known = new(StringComparer.Ordinal)
    {
        ["bloom"] = Bloom.Describe,
        ["cohere"] = Cohere.Describe,
        ["cohere2"] = Cohere2.Describe,
        ["deepseek_v3"] = DeepSeekV3.Describe,
        ["falcon"] = Falcon.Describe,
        ["gemma"] = Gemma.Describe,
        ["gemma2"] = Gemma2.Describe,
        ["gemma3_text"] = Gemma3.Describe,
        ["glm"] = Glm.Describe,
        ["gpt2"] = Gpt2.Describe,
        ["gpt_bigcode"] = GptBigCode.Describe,
        ["gpt_neox"] = GptNeoX.Describe,
        ["gptj"] = GptJ.Describe,
        ["granite"] = Granite.Describe,
        ["granitemoe"] = GraniteMoe.Describe,
        ["llama"] = Llama.Describe,
        ["mistral"] = Mistral.Describe,
        ["mixtral"] = Mixtral.Describe,
        ["mpt"] = Mpt.Describe,
        ["nemotron"] = Nemotron.Describe,
        ["olmo"] = Olmo.Describe,
        ["olmo2"] = Olmo2.Describe,
        ["olmoe"] = Olmoe.Describe,
        ["opt"] = Opt.Describe,
        ["phi"] = Phi.Describe,
        ["phi3"] = Phi3.Describe,
        ["qwen2"] = Qwen2.Describe,
        ["qwen2_moe"] = Qwen2Moe.Describe,
        ["qwen3"] = Qwen3.Describe,
        ["qwen3_moe"] = Qwen3Moe.Describe,
        ["stablelm"] = StableLm.Describe,
        ["starcoder2"] = Starcoder2.Describe,
    };

    /// <summary>Encoders, and decoders that read one.</summary>
    static readonly Dictionary<string, Func<Checkpoint, ModelSpec>> Encoding = new(StringComparer.Ordinal)
    {
        ["bart"] = Bart.Describe,
        ["bert"] = Bert.Describe,
        ["roberta"] = Bert.DescribeRoberta,
        ["t5"] = T5.Describe,
    };

    /// <summary>The supported model types, by name.</summary>
    public static IEnumerable<string> Names => Known.Keys;

    public static ModelSpec Describe(Checkpoint checkpoint) => Require(checkpoint.Config)(checkpoint);

    /// <summary>The same for the models that the engine computes and does not serve yet.</summary>
    public static ModelSpec DescribeEncoding(Checkpoint checkpoint) => Find(checkpoint.Config, Encoding)(checkpoint);

    /// <exception cref="CheckpointException">The family is not supported.</exception>
    public static Func<Checkpoint, ModelSpec> Require(ConfigSection config) => Find(config, Known);

    static Func<Checkpoint, ModelSpec> Find(ConfigSection config, Dictionary<string, Func<Checkpoint, ModelSpec>> families)
    {
        var type = config.String("model_type") ?? throw config.Bad("model_type", "is missing");
        return families.TryGetValue(type, out var describe)
            ? describe
            : throw config.Bad("model_type",
                $"'{ConfigSection.Short(type)}' is not supported; supported are {string.Join(", ", families.Keys)}");
    }
}
