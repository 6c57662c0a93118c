using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with layer norms, biases, a plain MLP and a sliding window.</summary>
static class Starcoder2
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var (bias, window) = (config.Bool("use_bias", true), config.Window());
        return new LlamaShape(checkpoint)
        {
            Norm = new(NormKind.Layer, config.Epsilon("norm_epsilon", 1e-5)) { Bias = true },
            Activation = "gelu_pytorch_tanh",
            Window = _ => window,
            QkvBias = bias,
            OutBias = bias,
            MlpBias = bias,
            MlpIn = ["c_fc"],
            MlpOut = "c_proj",
            Tied = true,
        }.Describe();
    }
}
