using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama 1 to 3.3 and everything published in its shape.</summary>
static class Llama
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var bias = checkpoint.Config.Bool("attention_bias", false);
        var mlpBias = checkpoint.Config.Bool("mlp_bias", false);
        return (Shape(checkpoint) with { QkvBias = bias, OutBias = bias, MlpBias = mlpBias }).Describe();
    }

    /// <summary>Llama without its options: RMS norms before each part, no biases.</summary>
    public static LlamaShape Shape(Checkpoint checkpoint, double epsilon = 1e-6) => new(checkpoint)
    {
        Norm = new(NormKind.Rms, checkpoint.Config.Epsilon("rms_norm_eps", epsilon)),
    };
}
