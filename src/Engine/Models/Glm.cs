using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>GLM-4: Llama's shape with interleaved rope on half of a head and gate and up in one projection.</summary>
static class Glm
{
    public static ModelSpec Describe(Checkpoint checkpoint) => (Llama.Shape(checkpoint, 1.5625e-07) with
    {
        RotaryPart = 0.5,
        RopeStyle = RopeStyle.Interleaved,
        QkvBias = checkpoint.Config.Bool("attention_bias", false),
        MlpIn = ["gate_up_proj"],
        FusedMlp = true,
    }).Describe();
}
