using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with layer norms that store weight - 1 and an MLP of a squared relu.</summary>
static class Nemotron
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var bias = config.Bool("attention_bias", false);
        return new LlamaShape(checkpoint)
        {
            Norm = new(NormKind.Layer, config.Epsilon("norm_eps", 1e-5)) { Offset = 1, Bias = true },
            RotaryPart = 0.5,
            Activation = "relu2",
            MlpIn = ["up_proj"],
            QkvBias = bias,
            OutBias = bias,
            MlpBias = config.Bool("mlp_bias", false),
        }.Describe();
    }
}
