using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>GPT-J: attention and MLP side by side after one layer norm, interleaved rope on part of a head.</summary>
static class GptJ
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var (width, heads, positions) = (config.Width("n_embd"), config.Heads("n_head"), config.Positions("n_positions"));
        var (dim, mlp) = (config.HeadDim(width, heads, "n_head"), config.WidthOr("n_inner", 4 * width));
        var norm = new NormSpec(NormKind.Layer, config.Epsilon("layer_norm_epsilon", 1e-5)) { Bias = true };
        LayerSpec Layer(string at) => new(
            new(new(norm.At($"{at}.ln_1")),
                [new($"{at}.attn.q_proj", width), new($"{at}.attn.k_proj", width), new($"{at}.attn.v_proj", width)],
                new($"{at}.attn.out_proj", width))
            {
                Rope = 0,
            },
            new(new(), new(mlp, [new($"{at}.mlp.fc_in", mlp, Bias: true)], new($"{at}.mlp.fc_out", width, Bias: true))),
            Parallel: true);
        return new ModelSpec
        {
            Family = "gptj",
            VocabularySize = config.Vocabulary(),
            ContextLength = positions,
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadDim = dim,
            AttentionScale = 1 / MathF.Sqrt(dim),
            Ropes = [RopeSpec.Read(config, config.Int("rotary_dim", 2, dim), positions) with { Style = RopeStyle.Interleaved }],
            Activation = config.Activation("activation_function", "gelu_new"),
            Layers = [.. Enumerable.Range(0, config.Layers("n_layer")).Select(i => Layer($"transformer.h.{i}"))],
            Embedding = "transformer.wte",
            FinalNorm = norm.At("transformer.ln_f"),
            Head = config.Bool("tie_word_embeddings", false)
                ? new("transformer.wte", config.Vocabulary()) : new("lm_head", config.Vocabulary(), Bias: true),
        };
    }
}
