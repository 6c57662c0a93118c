using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Falcon in its three forms: the first with one key and value for all heads, the later ones with groups, the RW ones
/// with ALiBi.</summary>
static class Falcon
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var (width, heads, positions) = (config.Width(), config.Heads(), config.PositionsOr(2048));
        var dim = config.HeadDim(width, heads);
        var (grouped, shared) = (config.Bool("new_decoder_architecture", false), config.Bool("multi_query", true));
        var alibi = config.Bool("alibi", false);
        var scale = 1 / MathF.Sqrt(dim);
        // The reference keeps slopes in bf16, scales them as it does the products, and adds them twice: its eager attention has
        // them in the mask too. Its outputs are matched.
        var slopes = alibi ? Alibi.Slopes(heads).Select(s => 2 * scale * BFloat16(s)).ToArray() : null;
        var kvHeads = grouped ? config.KvHeads(heads, "num_kv_heads") : shared ? 1 : heads;
        var norm = new NormSpec(NormKind.Layer, config.Epsilon("layer_norm_epsilon", 1e-5)) { Bias = true };
        return new ModelSpec
        {
            Family = "falcon",
            VocabularySize = config.Vocabulary(),
            ContextLength = positions,
            Width = width,
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = dim,
            AttentionScale = scale,
            Slopes = slopes,
            Ropes = alibi ? [] : [RopeSpec.Read(config, dim, positions)],
            Activation = config.Activation("activation", "gelu"),
            Layers =
            [
                .. Enumerable.Range(0, config.Layers()).Select(i => Layer(config, norm, $"transformer.h.{i}", kvHeads, dim)),
            ],
            Embedding = "transformer.word_embeddings",
            FinalNorm = norm.At("transformer.ln_f"),
            Head = new(config.Bool("tie_word_embeddings", true) ? "transformer.word_embeddings" : "lm_head", config.Vocabulary()),
        };
    }

    static LayerSpec Layer(ConfigSection config, NormSpec norm, string at, int kvHeads, int dim)
    {
        var (width, heads, bias) = (config.Width(), config.Heads(), config.Bool("bias", false));
        var mlp = config.WidthOr("ffn_hidden_size", 4 * width);
        var grouped = config.Bool("new_decoder_architecture", false);
        var parallel = grouped || config.Bool("parallel_attn", true);
        var norms = config.IntOrNull("num_ln_in_parallel_attn", 1, 2) ?? (grouped ? 2 : 1);
        var (first, second) = !parallel ? ("input_layernorm", "post_attention_layernorm")
            : grouped && norms == 2 ? ("ln_attn", "ln_mlp") : ("input_layernorm", null);
        return new(
            new(new(norm.At($"{at}.{first}")), [new($"{at}.self_attention.query_key_value", (heads + 2 * kvHeads) * dim, bias)],
                new($"{at}.self_attention.dense", width, bias))
            {
                FusedByHead = grouped || !config.Bool("multi_query", true),
                Rope = config.Bool("alibi", false) ? null : 0,
            },
            new(new(second is null ? null : norm.At($"{at}.{second}")), new(mlp,
                [new($"{at}.mlp.dense_h_to_4h", mlp, bias)], new($"{at}.mlp.dense_4h_to_h", width, bias))),
            parallel);
    }

    static float BFloat16(double value)
    {
        var bits = BitConverter.SingleToUInt32Bits((float)value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    }
}
