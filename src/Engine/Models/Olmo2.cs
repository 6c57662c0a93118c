using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with norms behind attention and MLP instead of before them, and over whole queries and keys.</summary>
static class Olmo2
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var (shape, bias) = (Llama.Shape(checkpoint, 1e-5), checkpoint.Config.Bool("attention_bias", false));
        return (shape with
        {
            QkvBias = bias,
            OutBias = bias,
            QueryKeyNorms = shape.NormsOfAll("q_norm", "k_norm"),
            Places = at => (
                new(Result: shape.At($"{at}.post_attention_layernorm")),
                new(Result: shape.At($"{at}.post_feedforward_layernorm"))),
        }).Describe();
    }
}
