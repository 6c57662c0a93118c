using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>GPT-2: learned positions, layer norms, one fused projection for query, key and value, weights stored
/// transposed.</summary>
static class Gpt2
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        if (config.String("activation_function") is { } act and not ("gelu_new" or "gelu_pytorch_tanh"))
            throw config.Bad("activation_function", $"'{act}' is not supported; supported are gelu_new and gelu_pytorch_tanh");
        if (config.Bool("scale_attn_by_inverse_layer_idx", false))
            throw config.Bad("scale_attn_by_inverse_layer_idx", "is not supported");
        var width = config.Int("n_embd", 1, CheckpointLimits.WidthMax);
        var heads = config.Int("n_head", 1, CheckpointLimits.HeadsMax);
        if (width % heads != 0)
            throw config.Bad("n_head", $"must divide n_embd ({width})");
        // Checkpoints saved from the bare model have no prefix.
        var prefix = checkpoint.Contains("wte.weight") ? "" : "transformer.";
        var spec = new ModelSpec
        {
            Family = "gpt2",
            VocabularySize = config.Int("vocab_size", 1, CheckpointLimits.VocabularyMax),
            ContextLength = config.Int("n_positions", 1, CheckpointLimits.ContextMax),
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadDim = width / heads,
            Norm = NormKind.Layer,
            NormEpsilon = (float)(config.NumberOrNull("layer_norm_epsilon", 0, 1) ?? 1e-5),
            Mlp = MlpKind.GeluTanh,
            MlpWidth = config.IntOrNull("n_inner", 1, CheckpointLimits.WidthMax) ?? 4 * width,
            AttentionScale = config.Bool("scale_attn_weights", true) ? 1 / MathF.Sqrt(width / heads) : 1,
            Layers = [],
            Embedding = $"{prefix}wte.weight",
            PositionEmbedding = $"{prefix}wpe.weight",
            FinalNorm = $"{prefix}ln_f",
            Head = config.Bool("tie_word_embeddings", true) ? $"{prefix}wte.weight" : "lm_head.weight",
        };
        var layers = config.Int("n_layer", 1, CheckpointLimits.LayersMax);
        return spec with { Layers = [.. Enumerable.Range(0, layers).Select(i => Layer(spec, $"{prefix}h.{i}"))] };
    }

    static LayerSpec Layer(ModelSpec spec, string at) => new(
        Window: 0,
        $"{at}.ln_1",
        [new($"{at}.attn.c_attn", spec.QkvWidth, Bias: true, Transposed: true)],
        new($"{at}.attn.c_proj", spec.Width, Bias: true, Transposed: true),
        $"{at}.ln_2",
        [new($"{at}.mlp.c_fc", spec.MlpWidth, Bias: true, Transposed: true)],
        new($"{at}.mlp.c_proj", spec.Width, Bias: true, Transposed: true));
}
