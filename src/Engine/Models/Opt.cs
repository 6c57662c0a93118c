using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>OPT: learned positions that begin at the third row; the 350M form has norms behind each part and narrow
/// embeddings.</summary>
static class Opt
{
    const int PositionsFirst = 2;

    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var (width, heads) = (config.Width(), config.Heads());
        var dim = config.HeadDim(width, heads);
        var (before, bias) = (config.Bool("do_layer_norm_before", true), config.Bool("enable_bias", true));
        var affine = config.Bool("layer_norm_elementwise_affine", true);
        var plain = new NormSpec(NormKind.Layer, 1e-5f) { Bias = affine };
        NormSpec Norm(string name) => affine ? plain.At(name) : plain;
        NormPlaces Places(string name) => before ? new(Norm(name)) : new(After: Norm(name));
        var prefix = checkpoint.Contains("decoder.embed_tokens.weight") ? "decoder" : "model.decoder";
        var (mlp, table) = (config.Width("ffn_dim"), config.WidthOr("word_embed_proj_dim", width));
        LayerSpec Layer(string at) => new(
            new(Places($"{at}.self_attn_layer_norm"),
                [
                    new($"{at}.self_attn.q_proj", width, bias),
                    new($"{at}.self_attn.k_proj", width, bias),
                    new($"{at}.self_attn.v_proj", width, bias),
                ],
                new($"{at}.self_attn.out_proj", width, bias)),
            new(Places($"{at}.final_layer_norm"), new(mlp, [new($"{at}.fc1", mlp, bias)], new($"{at}.fc2", width, bias))));
        return new ModelSpec
        {
            Family = "opt",
            VocabularySize = config.Vocabulary(),
            ContextLength = config.Positions(),
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadDim = dim,
            AttentionScale = 1 / MathF.Sqrt(dim),
            Activation = config.Activation("activation_function", "relu"),
            Layers = [.. Enumerable.Range(0, config.Layers()).Select(i => Layer($"{prefix}.layers.{i}"))],
            Embedding = $"{prefix}.embed_tokens",
            EmbeddingWidth = table == width ? null : table,
            EmbeddingOut = table == width ? null : new($"{prefix}.project_in", width),
            PositionEmbedding = $"{prefix}.embed_positions",
            PositionsFirst = PositionsFirst,
            FinalNorm = before && !config.Bool("_remove_final_layer_norm", false) ? Norm($"{prefix}.final_layer_norm") : null,
            HeadIn = table == width ? null : new($"{prefix}.project_out", table),
            Head = new(config.Bool("tie_word_embeddings", true) ? $"{prefix}.embed_tokens" : "lm_head", config.Vocabulary()),
        };
    }
}
