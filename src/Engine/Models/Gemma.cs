using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with norms that store weight - 1, scaled embeddings and a GELU.</summary>
static class Gemma
{
    public static ModelSpec Describe(Checkpoint checkpoint) => Scaled(Shape(checkpoint).Describe());

    public static LlamaShape Shape(Checkpoint checkpoint)
    {
        var shape = Llama.Shape(checkpoint);
        var bias = checkpoint.Config.Bool("attention_bias", false);
        return shape with
        {
            Norm = shape.Norm with { Offset = 1 },
            ActivationField = "hidden_activation",
            Activation = "gelu_pytorch_tanh",
            Tied = true,
            QkvBias = bias,
            OutBias = bias,
        };
    }

    public static ModelSpec Scaled(ModelSpec spec) => spec with { EmbeddingScale = MathF.Sqrt(spec.Width) };
}
