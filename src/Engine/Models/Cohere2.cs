using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Cohere with a window on most layers; those without one have no positions.</summary>
static class Cohere2
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var window = config.IntOrNull("sliding_window", 1, int.MaxValue) ?? 4096;
        var pattern = config.IntOrNull("sliding_window_pattern", 1, CheckpointLimits.LayersMax) ?? 4;
        var slides = config.SlidingLayers(config.Layers(), layer => (layer + 1) % pattern != 0);
        var shape = Cohere.Shape(checkpoint) with
        {
            Window = layer => slides(layer) ? window : 0,
            Rope = layer => slides(layer) ? 0 : null,
        };
        return Cohere.Scaled(config, shape.Describe());
    }
}
