using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>config.json's fields that most families have, each with its bounds.</summary>
static class ModelFields
{
    const string Supported = "silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu and relu2";

    public static int Width(this ConfigSection config, string field = "hidden_size") =>
        config.Int(field, 1, CheckpointLimits.WidthMax);

    /// <summary>A width that may be left out.</summary>
    public static int WidthOr(this ConfigSection config, string field, int otherwise) =>
        config.IntOrNull(field, 1, CheckpointLimits.WidthMax) ?? otherwise;

    public static int Layers(this ConfigSection config, string field = "num_hidden_layers") =>
        config.Int(field, 1, CheckpointLimits.LayersMax);

    public static int Heads(this ConfigSection config, string field = "num_attention_heads") =>
        config.Int(field, 1, CheckpointLimits.HeadsMax);

    /// <summary>KV heads: all if the field is missing; they must divide the heads.</summary>
    public static int KvHeads(this ConfigSection config, int heads, string field = "num_key_value_heads")
    {
        var kvHeads = config.IntOrNull(field, 1, heads) ?? heads;
        return heads % kvHeads == 0 ? kvHeads : throw config.Bad(field, $"must divide the number of heads ({heads})");
    }

    /// <summary>head_dim, or the heads' share of the width.</summary>
    public static int HeadDim(this ConfigSection config, int width, int heads, string headsField = "num_attention_heads")
    {
        if (config.IntOrNull("head_dim", 1, CheckpointLimits.HeadDimMax) is { } given)
            return given;
        if (width % heads != 0)
            throw config.Bad(headsField, $"must divide hidden_size ({width})");
        return width / heads <= CheckpointLimits.HeadDimMax
            ? width / heads
            : throw config.Bad(headsField, $"gives heads wider than {CheckpointLimits.HeadDimMax}");
    }

    public static int Vocabulary(this ConfigSection config) => config.Int("vocab_size", 1, CheckpointLimits.VocabularyMax);

    public static int Positions(this ConfigSection config, string field = "max_position_embeddings") =>
        config.Int(field, 1, CheckpointLimits.ContextMax);

    public static int PositionsOr(this ConfigSection config, int otherwise) =>
        config.IntOrNull("max_position_embeddings", 1, CheckpointLimits.ContextMax) ?? otherwise;

    public static float Epsilon(this ConfigSection config, string field, double otherwise) =>
        (float)(config.NumberOrNull(field, 0, 1) ?? otherwise);

    /// <summary>A factor of some numbers.</summary>
    public static float Factor(this ConfigSection config, string field, double otherwise) =>
        (float)(config.NumberOrNull(field, 1e-6, 1e6) ?? otherwise);

    /// <summary>A soft cap or a clip; 0 if there is none.</summary>
    public static float Cap(this ConfigSection config, string field) => (float)(config.NumberOrNull(field, 1e-3, 1e9) ?? 0);

    /// <summary>Positions that a query sees; 0 for all.</summary>
    public static int Window(this ConfigSection config, string field = "sliding_window") =>
        config.IntOrNull(field, 1, int.MaxValue) ?? 0;

    public static ActivationKind Activation(this ConfigSection config, string field, string otherwise) =>
        (config.String(field) ?? otherwise) switch
        {
            "silu" or "swish" => ActivationKind.Silu,
            "gelu" => ActivationKind.GeluErf,
            "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => ActivationKind.GeluTanh,
            "relu" => ActivationKind.Relu,
            "relu2" => ActivationKind.ReluSquared,
            var other => throw config.Bad(field, $"'{ConfigSection.Short(other)}' is not supported; supported are {Supported}"),
        };

    /// <summary>Which layers slide: those that layer_types (transformers 5) names, else by the rule.</summary>
    public static Func<int, bool> SlidingLayers(this ConfigSection config, int layers, Func<int, bool> otherwise)
    {
        const string Sliding = "sliding_attention";
        if (config.StringsOf("layer_types", CheckpointLimits.LayersMax) is not { } types)
            return otherwise;
        if (Array.Find(types, t => t is not (Sliding or "full_attention")) is { } unknown)
        {
            throw config.Bad("layer_types",
                $"'{ConfigSection.Short(unknown)}' is not supported; supported are {Sliding} and full_attention");
        }
        if (types.Length < layers)
            throw config.Bad("layer_types", "has fewer entries than there are layers");
        return layer => types[layer] == Sliding;
    }

    public static int Experts(this ConfigSection config, string field)
    {
        var experts = config.Int(field, 1, CheckpointLimits.ExpertsMax);
        return (long)experts * config.Layers() <= CheckpointLimits.ExpertsOfAllLayersMax
            ? experts
            : throw config.Bad(field, $"gives more than {CheckpointLimits.ExpertsOfAllLayersMax} experts in all layers");
    }

    /// <summary>A softmax over all experts, of which a token takes num_experts_per_tok.</summary>
    public static RoutingShape Routing(this ConfigSection config, int experts, bool normalize) =>
        new(experts, config.Int("num_experts_per_tok", 1, experts), Sigmoid: false, normalize);

    /// <summary>Refuses a setting that changes the arithmetic and is not served.</summary>
    public static void RequireNot(this ConfigSection config, string field)
    {
        if (config.Bool(field, false))
            throw config.Bad(field, "is not supported");
    }
}
