using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>MPT: ALiBi, layer norms without biases, no biases at all.</summary>
static class Mpt
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var (width, heads) = (config.Width("d_model"), config.Heads("n_heads"));
        var dim = config.HeadDim(width, heads, "n_heads");
        var norm = new NormSpec(NormKind.Layer, config.Epsilon("layer_norm_epsilon", 1e-5));
        var attention = config.Section("attn_config");
        var clip = attention?.Cap("clip_qkv") ?? 0;
        // As in the reference, whatever expansion_ratio says.
        var mlp = 4 * width;
        LayerSpec Layer(string at) => new(
            new(new(norm.At($"{at}.norm_1")), [new($"{at}.attn.Wqkv", 3 * width)], new($"{at}.attn.out_proj", width))
            {
                Clip = clip,
            },
            new(new(norm.At($"{at}.norm_2")), new(mlp, [new($"{at}.ffn.up_proj", mlp)], new($"{at}.ffn.down_proj", width))));
        return new ModelSpec
        {
            Family = "mpt",
            VocabularySize = config.Vocabulary(),
            ContextLength = config.Positions("max_seq_len"),
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadDim = dim,
            AttentionScale = attention?.Factor("softmax_scale", 1 / Math.Sqrt(dim)) ?? 1 / MathF.Sqrt(dim),
            Slopes = [.. Alibi.SlopesFromAll(heads).Select(s => (float)s)],
            Activation = ActivationKind.GeluErf,
            Layers = [.. Enumerable.Range(0, config.Layers("n_layers")).Select(i => Layer($"transformer.blocks.{i}"))],
            Embedding = "transformer.wte",
            FinalNorm = norm.At("transformer.norm_f"),
            Head = new(config.Bool("tie_word_embeddings", true) ? "transformer.wte" : "lm_head", config.Vocabulary()),
        };
    }
}
