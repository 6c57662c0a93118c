using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Granite with experts whose matrices lie in one tensor.</summary>
static class GraniteMoe
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var (config, shape) = (checkpoint.Config, Llama.Shape(checkpoint));
        var (experts, width) = (config.Experts("num_local_experts"), config.Width("intermediate_size"));
        var routing = config.Routing(experts, normalize: true);
        var bias = config.Bool("attention_bias", false);
        MlpSpec Expert(string at, int index) => new(
            width,
            [new($"{at}.input_linear", 2 * width) { Of = experts, Index = index }],
            new($"{at}.output_linear", shape.Width) { Of = experts, Index = index });
        return Granite.Multiplied(config, (shape with
        {
            QkvBias = bias,
            OutBias = bias,
            Experts = (at, _) => new(new(), null, new(routing, new($"{at}.block_sparse_moe.router.layer", experts),
                [.. Enumerable.Range(0, experts).Select(i => Expert($"{at}.block_sparse_moe", i))])),
        }).Describe());
    }
}
