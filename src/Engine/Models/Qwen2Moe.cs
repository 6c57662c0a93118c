using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Qwen2 with experts, and one more that every token takes by its gate.</summary>
static class Qwen2Moe
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var (config, shape) = (checkpoint.Config, Llama.Shape(checkpoint));
        var shared = config.Width("shared_expert_intermediate_size");
        return (shape with
        {
            QkvBias = config.Bool("qkv_bias", true),
            Window = Qwen2.Windows(config),
            Experts = Sparse(config, shape, at => (shape.Mlp($"{at}.mlp.shared_expert", shared),
                new($"{at}.mlp.shared_expert_gate", 1))),
        }).Describe();
    }

    /// <summary>Experts in the layers that decoder_sparse_step and mlp_only_layers leave to them.</summary>
    /// <param name="dense">What stands beside the experts, and its gate.</param>
    public static Func<string, int, MlpPart?> Sparse(ConfigSection config, LlamaShape shape,
        Func<string, (MlpSpec?, LinearSpec?)> dense)
    {
        var (experts, width) = (config.Experts("num_experts"), config.Width("moe_intermediate_size"));
        var routing = config.Routing(experts, config.Bool("norm_topk_prob", false));
        var step = config.IntOrNull("decoder_sparse_step", 1, CheckpointLimits.LayersMax) ?? 1;
        var without = config.IntsOf("mlp_only_layers", 0, CheckpointLimits.LayersMax, CheckpointLimits.LayersMax) ?? [];
        return (at, layer) =>
        {
            if (without.Contains(layer) || (layer + 1) % step != 0)
                return null;
            var (beside, gate) = dense(at);
            return new(new(), beside, shape.ExpertsAt($"{at}.mlp", routing, width), gate);
        };
    }
}
