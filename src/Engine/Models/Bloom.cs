using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>BLOOM: ALiBi instead of positions, a norm behind the embeddings, query, key and value fused by head.</summary>
static class Bloom
{
    /// <summary>ALiBi has no last position; the models were trained on so many.</summary>
    const int ContextUnmentioned = 2048;

    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        config.RequireNot("apply_residual_connection_post_layernorm");
        // The first published configs have the older names.
        var width = config.Width(config.Has("hidden_size") ? "hidden_size" : "n_embed");
        var headsField = config.Has("n_head") ? "n_head" : "num_attention_heads";
        var layers = config.Layers(config.Has("n_layer") ? "n_layer" : "num_hidden_layers");
        var heads = config.Heads(headsField);
        var dim = config.HeadDim(width, heads, headsField);
        var prefix = checkpoint.Contains("word_embeddings.weight") ? "" : "transformer.";
        var norm = new NormSpec(NormKind.Layer, config.Epsilon("layer_norm_epsilon", 1e-5)) { Bias = true };
        LayerSpec Layer(string at) => new(
            new(new(norm.At($"{at}.input_layernorm")), [new($"{at}.self_attention.query_key_value", 3 * width, Bias: true)],
                new($"{at}.self_attention.dense", width, Bias: true))
            {
                FusedByHead = true,
            },
            new(new(norm.At($"{at}.post_attention_layernorm")), new(4 * width,
                [new($"{at}.mlp.dense_h_to_4h", 4 * width, Bias: true)], new($"{at}.mlp.dense_4h_to_h", width, Bias: true))));
        return new ModelSpec
        {
            Family = "bloom",
            VocabularySize = config.Vocabulary(),
            ContextLength = config.IntOrNull("seq_length", 1, CheckpointLimits.ContextMax) ?? ContextUnmentioned,
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadDim = dim,
            AttentionScale = 1 / MathF.Sqrt(dim),
            Slopes = [.. Alibi.Slopes(heads).Select(s => (float)s)],
            Activation = ActivationKind.GeluTanh,
            Layers = [.. Enumerable.Range(0, layers).Select(i => Layer($"{prefix}h.{i}"))],
            Embedding = $"{prefix}word_embeddings",
            EmbeddingNorm = norm.At($"{prefix}word_embeddings_layernorm"),
            FinalNorm = norm.At($"{prefix}ln_f"),
            Head = new(config.Bool("tie_word_embeddings", true) ? $"{prefix}word_embeddings" : "lm_head", config.Vocabulary()),
        };
    }
}
