using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Qwen3 with experts.</summary>
static class Qwen3Moe
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var shape = Qwen3.Shape(checkpoint);
        return (shape with { Experts = Qwen2Moe.Sparse(checkpoint.Config, shape, _ => (null, null)) }).Describe();
    }
}
