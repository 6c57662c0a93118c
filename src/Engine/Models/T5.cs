using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>T5 and T5 v1.1: encoder and decoder with relative positions, RMS norms, unscaled scores.</summary>
static class T5
{
    /// <summary>Distances are what counts: there is no last position.</summary>
    const int ContextLength = 4096;

    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var layers = config.IntOrNull("num_decoder_layers", 1, CheckpointLimits.LayersMax) ?? config.Layers("num_layers");
        var (encoder, decoder) = (Stack(config, "encoder", config.Layers("num_layers")), Stack(config, "decoder", layers));
        var tied = config.Bool("tie_word_embeddings", true);
        return decoder with
        {
            Encoder = encoder with { Bidirectional = true },
            Head = new(tied ? "shared" : "lm_head", config.Vocabulary()),
            LogitScale = tied ? 1 / MathF.Sqrt(decoder.Width) : 1,
        };
    }

    static ModelSpec Stack(ConfigSection config, string name, int layers)
    {
        var (width, heads) = (config.Width("d_model"), config.Heads("num_heads"));
        var dim = config.Int("d_kv", 1, CheckpointLimits.HeadDimMax);
        var norm = new NormSpec(NormKind.Rms, config.Epsilon("layer_norm_epsilon", 1e-6));
        var buckets = config.IntOrNull("relative_attention_num_buckets", 4, CheckpointLimits.BucketsMax) ?? 32;
        var distance = config.IntOrNull("relative_attention_max_distance", buckets, CheckpointLimits.BucketsMax) ?? 128;
        return new ModelSpec
        {
            Family = "t5",
            VocabularySize = config.Vocabulary(),
            ContextLength = ContextLength,
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadDim = dim,
            AttentionScale = 1,
            RelativeBias = new($"{name}.block.0.layer.0.SelfAttention.relative_attention_bias", buckets, distance),
            Activation = Activation(config).Kind,
            Layers = [.. Enumerable.Range(0, layers).Select(i => Layer(config, norm, $"{name}.block.{i}", name == "decoder"))],
            Embedding = "shared",
            FinalNorm = norm.At($"{name}.final_layer_norm"),
            Head = null,
        };
    }

    static LayerSpec Layer(ConfigSection config, NormSpec norm, string at, bool crosses)
    {
        var (width, mlp, last) = (config.Width("d_model"), config.Width("d_ff"), crosses ? 2 : 1);
        var heads = config.Heads("num_heads") * config.Int("d_kv", 1, CheckpointLimits.HeadDimMax);
        AttentionPart Attention(int index, string name) => new(
            new(norm.At($"{at}.layer.{index}.layer_norm")),
            [
                new($"{at}.layer.{index}.{name}.q", heads),
                new($"{at}.layer.{index}.{name}.k", heads),
                new($"{at}.layer.{index}.{name}.v", heads),
            ],
            new($"{at}.layer.{index}.{name}.o", width));
        string[] inputs = Activation(config).Gated ? ["wi_0", "wi_1"] : ["wi"];
        return new(
            Attention(0, "SelfAttention"),
            new(new(norm.At($"{at}.layer.{last}.layer_norm")), new(
                mlp,
                [.. inputs.Select(name => new LinearSpec($"{at}.layer.{last}.DenseReluDense.{name}", mlp))],
                new($"{at}.layer.{last}.DenseReluDense.wo", width))))
        {
            Cross = crosses ? Attention(1, "EncDecAttention") : null,
        };
    }

    static (ActivationKind Kind, bool Gated) Activation(ConfigSection config) =>
        (config.String("feed_forward_proj") ?? "relu") switch
        {
            "relu" => (ActivationKind.Relu, false),
            "gelu" => (ActivationKind.GeluErf, false),
            "gated-gelu" => (ActivationKind.GeluTanh, true),
            "gated-silu" => (ActivationKind.Silu, true),
            var other => throw config.Bad("feed_forward_proj",
                $"'{ConfigSection.Short(other)}' is not supported; supported are relu, gelu, gated-gelu and gated-silu"),
        };
}
