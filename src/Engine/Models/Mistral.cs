using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with a sliding window over every layer.</summary>
static class Mistral
{
    /// <summary>What transformers assumes when config.json does not mention the field; null there means no window.</summary>
    const int WindowUnmentioned = 4096;

    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var window = config.Mentions("sliding_window")
            ? config.IntOrNull("sliding_window", 1, int.MaxValue) ?? 0
            : WindowUnmentioned;
        return Llama.Describe(checkpoint, _ => window, qkvBias: false, outBias: false, mlpBias: false);
    }
}
