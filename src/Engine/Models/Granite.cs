using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with multipliers of embeddings, scores, residuals and logits.</summary>
static class Granite
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var bias = checkpoint.Config.Bool("attention_bias", false);
        var mlpBias = checkpoint.Config.Bool("mlp_bias", false);
        return Multiplied(checkpoint.Config,
            (Llama.Shape(checkpoint) with { QkvBias = bias, OutBias = bias, MlpBias = mlpBias }).Describe());
    }

    public static ModelSpec Multiplied(ConfigSection config, ModelSpec spec) => spec with
    {
        EmbeddingScale = config.Factor("embedding_multiplier", 1),
        AttentionScale = config.Factor("attention_multiplier", 1),
        ResidualScale = config.Factor("residual_multiplier", 1),
        LogitScale = 1 / config.Factor("logits_scaling", 1),
    };
}
