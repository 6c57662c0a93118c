using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>Command-R: attention and MLP side by side after one norm, interleaved rope, scaled logits.</summary>
static class Cohere
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var shape = Shape(checkpoint);
        if (checkpoint.Config.Bool("use_qk_norm", false))
            shape = shape with { QueryKeyNorms = shape.NormsByHead("q_norm", "k_norm", GroupWeights.Stacked) };
        return Scaled(checkpoint.Config, shape.Describe());
    }

    public static LlamaShape Shape(Checkpoint checkpoint)
    {
        var norm = new NormSpec(NormKind.Layer, checkpoint.Config.Epsilon("layer_norm_eps", 1e-5));
        var bias = checkpoint.Config.Bool("attention_bias", false);
        return new(checkpoint)
        {
            Norm = norm,
            Places = at => (new(norm.At($"{at}.input_layernorm")), new()),
            Parallel = true,
            RopeStyle = RopeStyle.Interleaved,
            QkvBias = bias,
            OutBias = bias,
            Tied = true,
        };
    }

    public static ModelSpec Scaled(ConfigSection config, ModelSpec spec) =>
        spec with { LogitScale = config.Factor("logit_scale", 0.0625) };
}
