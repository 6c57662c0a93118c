using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with biases on query, key and value, and a sliding window on some layers.</summary>
static class Qwen2
{
    public static ModelSpec Describe(Checkpoint checkpoint) =>
        (Llama.Shape(checkpoint) with { QkvBias = true, Window = Windows(checkpoint.Config) }).Describe();

    /// <summary>Without layer_types the layers from max_window_layers on slide.</summary>
    public static Func<int, int> Windows(ConfigSection config)
    {
        var window = config.Bool("use_sliding_window", false) ? config.Window() : 0;
        var first = config.IntOrNull("max_window_layers", 0, int.MaxValue) ?? 28;
        var slides = config.SlidingLayers(config.Layers(), layer => layer >= first);
        return layer => slides(layer) ? window : 0;
    }
}
