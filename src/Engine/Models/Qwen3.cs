using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Qwen2 without its biases and with norms over the heads of queries and keys.</summary>
static class Qwen3
{
    public static ModelSpec Describe(Checkpoint checkpoint) => Shape(checkpoint).Describe();

    public static LlamaShape Shape(Checkpoint checkpoint)
    {
        var (shape, bias) = (Llama.Shape(checkpoint), checkpoint.Config.Bool("attention_bias", false));
        return shape with
        {
            QkvBias = bias,
            OutBias = bias,
            Window = Qwen2.Windows(checkpoint.Config),
            QueryKeyNorms = shape.NormsByHead("q_norm", "k_norm"),
        };
    }
}
