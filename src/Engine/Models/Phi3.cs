using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Phi 3 and 4: Llama's shape with query, key and value, and gate and up, in one projection each.</summary>
static class Phi3
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var window = checkpoint.Config.Window();
        return (Llama.Shape(checkpoint, 1e-5) with
        {
            Window = _ => window,
            FusedQkv = true,
            FusedMlp = true,
            MlpIn = ["gate_up_proj"],
        }).Describe();
    }
}
