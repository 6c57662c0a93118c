using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with layer norms without parameters, and queries, keys and values cut off.</summary>
static class Olmo
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var (norm, bias) = (new NormSpec(NormKind.Layer, 1e-5f), config.Bool("attention_bias", false));
        var shape = new LlamaShape(checkpoint)
        {
            Norm = norm,
            Places = _ => (new(norm), new(norm)),
            QkvBias = bias,
            OutBias = bias,
            Clip = config.Cap("clip_qkv"),
        };
        return shape.Describe() with { FinalNorm = norm };
    }
}
