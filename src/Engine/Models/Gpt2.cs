using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>GPT-2: learned positions, layer norms, one fused projection for query, key and value, weights stored
/// transposed.</summary>
static class Gpt2
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        checkpoint.Config.RequireNot("scale_attn_by_inverse_layer_idx");
        return Describe(checkpoint, kvHeads: null, fusedByHead: false, transposed: true, "gelu_new");
    }

    /// <param name="kvHeads">Null for as many as there are heads.</param>
    public static ModelSpec Describe(Checkpoint checkpoint, int? kvHeads, bool fusedByHead, bool transposed, string activation)
    {
        var config = checkpoint.Config;
        var (width, heads) = (config.Width("n_embd"), config.Heads("n_head"));
        if (width % heads != 0)
            throw config.Bad("n_head", $"must divide n_embd ({width})");
        // Checkpoints saved from the bare model have no prefix.
        var prefix = checkpoint.Contains("wte.weight") ? "" : "transformer.";
        var norm = new NormSpec(NormKind.Layer, config.Epsilon("layer_norm_epsilon", 1e-5)) { Bias = true };
        var (dim, mlp) = (width / heads, config.WidthOr("n_inner", 4 * width));
        LinearSpec Linear(string name, int rows) => new(name, rows, Bias: true, transposed);
        LayerSpec Layer(string at) => new(
            new(new(norm.At($"{at}.ln_1")), [Linear($"{at}.attn.c_attn", (heads + 2 * (kvHeads ?? heads)) * dim)],
                Linear($"{at}.attn.c_proj", width))
            {
                FusedByHead = fusedByHead,
            },
            new(new(norm.At($"{at}.ln_2")), new(mlp, [Linear($"{at}.mlp.c_fc", mlp)], Linear($"{at}.mlp.c_proj", width))));
        return new ModelSpec
        {
            Family = config.String("model_type")!,
            VocabularySize = config.Vocabulary(),
            ContextLength = config.Positions("n_positions"),
            Width = width,
            Heads = heads,
            KvHeads = kvHeads ?? heads,
            HeadDim = dim,
            AttentionScale = config.Bool("scale_attn_weights", true) ? 1 / MathF.Sqrt(dim) : 1,
            Activation = config.Activation("activation_function", activation),
            Layers = [.. Enumerable.Range(0, config.Layers("n_layer")).Select(i => Layer($"{prefix}h.{i}"))],
            Embedding = $"{prefix}wte",
            PositionEmbedding = $"{prefix}wpe",
            FinalNorm = norm.At($"{prefix}ln_f"),
            Head = new(config.Bool("tie_word_embeddings", true) ? $"{prefix}wte" : "lm_head", config.Vocabulary()),
        };
    }
}
