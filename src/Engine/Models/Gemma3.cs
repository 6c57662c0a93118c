using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Gemma2 with norms over the heads of queries and keys, and a rope of their own for the layers that slide.</summary>
static class Gemma3
{
    const int Global = 0, Local = 1;

    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var pattern = config.IntOrNull("sliding_window_pattern", 1, CheckpointLimits.LayersMax) ?? 6;
        var slides = config.SlidingLayers(config.Layers(), layer => (layer + 1) % pattern != 0);
        var shape = Gemma2.Shape(checkpoint, slides);
        shape = shape with
        {
            Rope = layer => slides(layer) ? Local : Global,
            QueryKeyNorms = shape.NormsByHead("q_norm", "k_norm"),
        };
        return Gemma2.Capped(config, shape.Describe()) with { Ropes = [GlobalRope(config, shape), LocalRope(config, shape)] };
    }

    static RopeSpec GlobalRope(ConfigSection config, LlamaShape shape) =>
        RopeSpec.Read(config, shape.RotaryDim, shape.PositionsMax, "full_attention", theta: 1e6);

    /// <summary>Its base stands beside rope_scaling (transformers 4), or it has a section of its own.</summary>
    static RopeSpec LocalRope(ConfigSection config, LlamaShape shape)
    {
        const string Section = "sliding_attention";
        if (config.Section("rope_parameters")?.Has(Section) == true)
            return RopeSpec.Read(config, shape.RotaryDim, shape.PositionsMax, Section);
        var theta = config.NumberOrNull("rope_local_base_freq", 1, 1e15) ?? 10000;
        return new(RopeKind.Plain, shape.RotaryDim, theta, shape.PositionsMax);
    }
}
