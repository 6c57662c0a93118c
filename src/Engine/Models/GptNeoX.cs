using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>GPT-NeoX and Pythia: query, key and value fused by head, part of a head turns, most with attention and MLP side by
/// side.</summary>
static class GptNeoX
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var (width, heads, positions) = (config.Width(), config.Heads(), config.Positions());
        var (dim, mlp) = (config.HeadDim(width, heads), config.Width("intermediate_size"));
        var norm = new NormSpec(NormKind.Layer, config.Epsilon("layer_norm_eps", 1e-5)) { Bias = true };
        var (bias, parallel) = (config.Bool("attention_bias", true), config.Bool("use_parallel_residual", true));
        LayerSpec Layer(string at) => new(
            new(new(norm.At($"{at}.input_layernorm")), [new($"{at}.attention.query_key_value", 3 * heads * dim, bias)],
                new($"{at}.attention.dense", width, bias))
            {
                FusedByHead = true,
                Rope = 0,
            },
            new(new(norm.At($"{at}.post_attention_layernorm")), new(mlp,
                [new($"{at}.mlp.dense_h_to_4h", mlp, Bias: true)], new($"{at}.mlp.dense_4h_to_h", width, Bias: true))),
            parallel);
        return new ModelSpec
        {
            Family = "gpt_neox",
            VocabularySize = config.Vocabulary(),
            ContextLength = positions,
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadDim = dim,
            AttentionScale = 1 / MathF.Sqrt(dim),
            Ropes = [Rope(config, dim, positions)],
            Activation = config.Activation("hidden_act", "gelu"),
            Layers = [.. Enumerable.Range(0, config.Layers()).Select(i => Layer($"gpt_neox.layers.{i}"))],
            Embedding = "gpt_neox.embed_in",
            FinalNorm = norm.At("gpt_neox.final_layer_norm"),
            Head = new(config.Bool("tie_word_embeddings", false) ? "gpt_neox.embed_in" : "embed_out", config.Vocabulary()),
        };
    }

    static RopeSpec Rope(ConfigSection config, int headDim, int positions)
    {
        var part = config.Section("rope_parameters")?.NumberOrNull("partial_rotary_factor", 0, 1)
            ?? config.NumberOrNull("rotary_pct", 0, 1) ?? config.NumberOrNull("partial_rotary_factor", 0, 1) ?? 0.25;
        return RopeSpec.Read(config, (int)(headDim * part), positions,
            theta: config.NumberOrNull("rotary_emb_base", 1, 1e15) ?? 10000);
    }
}
