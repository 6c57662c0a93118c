using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Mistral with experts.</summary>
static class Mixtral
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var (config, shape) = (checkpoint.Config, Llama.Shape(checkpoint, 1e-5) with { MlpIn = ["w1", "w3"], MlpOut = "w2" });
        var (experts, width, window) = (config.Experts("num_local_experts"), config.Width("intermediate_size"), config.Window());
        var routing = config.Routing(experts, normalize: true);
        return (shape with
        {
            Window = _ => window,
            Experts = (at, _) => new(new(), null, shape.ExpertsAt($"{at}.block_sparse_moe", routing, width)),
        }).Describe();
    }
}
