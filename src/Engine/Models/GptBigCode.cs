using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>SantaCoder and StarCoder: GPT-2 with one key and value for all heads.</summary>
static class GptBigCode
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var shared = checkpoint.Config.Bool("multi_query", true);
        return Gpt2.Describe(checkpoint, shared ? 1 : null, fusedByHead: !shared, transposed: false, "gelu_pytorch_tanh");
    }
}
