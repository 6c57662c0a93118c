using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Phi 1 to 2: attention and MLP side by side after one layer norm, half of a head turns, biases everywhere.</summary>
static class Phi
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var norm = new NormSpec(NormKind.Layer, config.Epsilon("layer_norm_eps", 1e-5)) { Bias = true };
        var shape = new LlamaShape(checkpoint)
        {
            Norm = norm,
            FinalNorm = "model.final_layernorm",
            Places = at => (new(norm.At($"{at}.input_layernorm")), new()),
            Parallel = true,
            Activation = "gelu_new",
            RotaryPart = 0.5,
            QkvBias = true,
            OutBias = true,
            MlpBias = true,
            AttentionOut = "dense",
            MlpIn = ["fc1"],
            MlpOut = "fc2",
        };
        if (config.Bool("qk_layernorm", false))
            shape = shape with { QueryKeyNorms = shape.NormsByHead("q_layernorm", "k_layernorm") };
        var spec = shape.Describe();
        return spec with { Head = spec.Head!.Value with { Bias = true } };
    }
}
