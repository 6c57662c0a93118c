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
        var window = config.Mentions("sliding_window") ? config.Window() : WindowUnmentioned;
        return (Llama.Shape(checkpoint) with { Window = _ => window }).Describe();
    }
}
