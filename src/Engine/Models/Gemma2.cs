using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Gemma with norms before and after each part, soft caps, and a window on every other layer.</summary>
static class Gemma2
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var slides = config.SlidingLayers(config.Layers(), layer => layer % 2 == 0);
        return Capped(config, Shape(checkpoint, slides).Describe());
    }

    public static LlamaShape Shape(Checkpoint checkpoint, Func<int, bool> slides)
    {
        var (shape, window) = (Gemma.Shape(checkpoint), checkpoint.Config.IntOrNull("sliding_window", 1, int.MaxValue) ?? 4096);
        return shape with
        {
            Window = layer => slides(layer) ? window : 0,
            Places = at => (
                new(shape.At($"{at}.input_layernorm"), shape.At($"{at}.post_attention_layernorm")),
                new(shape.At($"{at}.pre_feedforward_layernorm"), shape.At($"{at}.post_feedforward_layernorm"))),
        };
    }

    public static ModelSpec Capped(ConfigSection config, ModelSpec spec) => Gemma.Scaled(spec) with
    {
        AttentionScale = 1 / MathF.Sqrt(config.Factor("query_pre_attn_scalar", 256)),
        AttentionCap = config.Cap("attn_logit_softcapping"),
        LogitCap = config.Cap("final_logit_softcapping"),
    };
}
