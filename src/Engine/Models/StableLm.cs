using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>StableLM 2: layer norms, a quarter of a head turns; some with norms over heads, or attention and MLP side by
/// side.</summary>
static class StableLm
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var norm = new NormSpec(NormKind.Layer, config.Epsilon("layer_norm_eps", 1e-5)) { Bias = true };
        var shape = new LlamaShape(checkpoint)
        {
            Norm = norm,
            RotaryPart = 0.25,
            QkvBias = config.Bool("use_qkv_bias", false),
        };
        if (config.Bool("qk_layernorm", false))
        {
            var byHead = shape with { Norm = norm with { Bias = false } };
            shape = shape with
            {
                QueryKeyNorms = byHead.NormsByHead("q_layernorm.norms", "k_layernorm.norms", GroupWeights.Numbered),
            };
        }
        if (config.Bool("use_parallel_residual", false))
            shape = shape with { Parallel = true, Places = at => (new(norm.At($"{at}.input_layernorm")), new()) };
        return shape.Describe();
    }
}
