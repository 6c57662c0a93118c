using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama 1 to 3.3 and everything published in its shape; Mistral and Qwen2 are this with other windows and
/// biases.</summary>
static class Llama
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var bias = config.Bool("attention_bias", false);
        return Describe(checkpoint, _ => 0, qkvBias: bias, outBias: bias, mlpBias: config.Bool("mlp_bias", false));
    }

    /// <param name="window">Positions that a query of a layer sees; 0 for all.</param>
    public static ModelSpec Describe(Checkpoint checkpoint, Func<int, int> window, bool qkvBias, bool outBias, bool mlpBias)
    {
        var config = checkpoint.Config;
        if (config.String("hidden_act") is { } act and not "silu")
            throw config.Bad("hidden_act", $"'{act}' is not supported; supported is silu");
        var width = config.Int("hidden_size", 1, CheckpointLimits.WidthMax);
        var heads = config.Int("num_attention_heads", 1, CheckpointLimits.HeadsMax);
        var headDim = config.IntOrNull("head_dim", 1, CheckpointLimits.HeadDimMax) ?? width / heads;
        if (!config.Has("head_dim") && width % heads != 0)
            throw config.Bad("num_attention_heads", $"must divide hidden_size ({width})");
        var positionsMax = config.Int("max_position_embeddings", 1, CheckpointLimits.ContextMax);
        var rope = RopeSpec.Read(config, headDim, positionsMax);
        var spec = new ModelSpec
        {
            Family = config.String("model_type")!,
            VocabularySize = config.Int("vocab_size", 1, CheckpointLimits.VocabularyMax),
            ContextLength = rope.ContextLength(positionsMax),
            Width = width,
            Heads = heads,
            KvHeads = config.IntOrNull("num_key_value_heads", 1, heads) ?? heads,
            HeadDim = headDim,
            Norm = NormKind.Rms,
            NormEpsilon = (float)(config.NumberOrNull("rms_norm_eps", 0, 1) ?? 1e-6),
            Mlp = MlpKind.GatedSilu,
            MlpWidth = config.Int("intermediate_size", 1, CheckpointLimits.WidthMax),
            Rope = rope,
            AttentionScale = 1 / MathF.Sqrt(headDim),
            Layers = [],
            Embedding = "model.embed_tokens.weight",
            FinalNorm = "model.norm",
            Head = config.Bool("tie_word_embeddings", false) ? "model.embed_tokens.weight" : "lm_head.weight",
        };
        if (heads % spec.KvHeads != 0)
            throw config.Bad("num_key_value_heads", $"must divide num_attention_heads ({heads})");
        var layers = config.Int("num_hidden_layers", 1, CheckpointLimits.LayersMax);
        return spec with
        {
            Layers = [.. Enumerable.Range(0, layers).Select(i => Layer(spec, i, window(i), qkvBias, outBias, mlpBias))],
        };
    }

    static LayerSpec Layer(ModelSpec spec, int index, int window, bool qkvBias, bool outBias, bool mlpBias)
    {
        var at = $"model.layers.{index}";
        return new(
            window,
            $"{at}.input_layernorm",
            [
                new($"{at}.self_attn.q_proj", spec.QueryWidth, qkvBias),
                new($"{at}.self_attn.k_proj", spec.KvWidth, qkvBias),
                new($"{at}.self_attn.v_proj", spec.KvWidth, qkvBias),
            ],
            new($"{at}.self_attn.o_proj", spec.Width, outBias),
            $"{at}.post_attention_layernorm",
            [new($"{at}.mlp.gate_proj", spec.MlpWidth, mlpBias), new($"{at}.mlp.up_proj", spec.MlpWidth, mlpBias)],
            new($"{at}.mlp.down_proj", spec.Width, mlpBias));
    }
}
