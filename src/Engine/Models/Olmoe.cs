using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with experts and with norms over whole queries and keys.</summary>
static class Olmoe
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var (config, shape) = (checkpoint.Config, Llama.Shape(checkpoint, 1e-5));
        var (experts, width) = (config.Experts("num_experts"), config.Width("intermediate_size"));
        var routing = config.Routing(experts, config.Bool("norm_topk_prob", false));
        var bias = config.Bool("attention_bias", false);
        return (shape with
        {
            QkvBias = bias,
            OutBias = bias,
            Clip = config.Cap("clip_qkv"),
            QueryKeyNorms = shape.NormsOfAll("q_norm", "k_norm"),
            Experts = (at, _) => new(new(), null, shape.ExpertsAt($"{at}.mlp", routing, width)),
        }).Describe();
    }
}
