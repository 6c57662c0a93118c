using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>BART: encoder and decoder with learned positions that begin at the third row, and layer norms behind each
/// sum.</summary>
static class Bart
{
    const int PositionsFirst = 2;

    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var prefix = checkpoint.Contains("shared.weight") ? "" : "model.";
        var (encoder, decoder) = (Stack(config, prefix, "encoder"), Stack(config, prefix, "decoder"));
        if (encoder.Heads != decoder.Heads)
            throw config.Bad("encoder_attention_heads", "must be decoder_attention_heads");
        return decoder with
        {
            Encoder = encoder with { Bidirectional = true },
            Head = new(config.Bool("tie_word_embeddings", true) ? $"{prefix}shared" : "lm_head", config.Vocabulary()),
            HeadBias = checkpoint.Contains("final_logits_bias") ? "final_logits_bias" : null,
        };
    }

    static ModelSpec Stack(ConfigSection config, string prefix, string name)
    {
        var (width, heads) = (config.Width("d_model"), config.Heads($"{name}_attention_heads"));
        var (dim, at) = (config.HeadDim(width, heads, $"{name}_attention_heads"), $"{prefix}{name}");
        var norm = new NormSpec(NormKind.Layer, 1e-5f) { Bias = true };
        return new ModelSpec
        {
            Family = "bart",
            VocabularySize = config.Vocabulary(),
            ContextLength = config.Positions(),
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadDim = dim,
            AttentionScale = 1 / MathF.Sqrt(dim),
            Activation = config.Activation("activation_function", "gelu"),
            Layers =
            [
                .. Enumerable.Range(0, config.Layers($"{name}_layers"))
                    .Select(i => Layer(config, norm, name, $"{at}.layers.{i}")),
            ],
            Embedding = $"{prefix}shared",
            EmbeddingScale = config.Bool("scale_embedding", false) ? MathF.Sqrt(width) : 1,
            PositionEmbedding = $"{at}.embed_positions",
            PositionsFirst = PositionsFirst,
            EmbeddingNorm = norm.At($"{at}.layernorm_embedding"),
            Head = null,
        };
    }

    static LayerSpec Layer(ConfigSection config, NormSpec norm, string name, string at)
    {
        var (width, mlp) = (config.Width("d_model"), config.Width($"{name}_ffn_dim"));
        AttentionPart Attention(string part) => new(
            new(After: norm.At($"{at}.{part}_layer_norm")),
            [
                new($"{at}.{part}.q_proj", width, Bias: true),
                new($"{at}.{part}.k_proj", width, Bias: true),
                new($"{at}.{part}.v_proj", width, Bias: true),
            ],
            new($"{at}.{part}.out_proj", width, Bias: true));
        return new(
            Attention("self_attn"),
            new(new(After: norm.At($"{at}.final_layer_norm")), new(
                mlp, [new($"{at}.fc1", mlp, Bias: true)], new($"{at}.fc2", width, Bias: true))))
        {
            Cross = name == "decoder" ? Attention("encoder_attn") : null,
        };
    }
}
