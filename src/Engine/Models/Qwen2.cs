using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>Llama's shape with biases on query, key and value, and a sliding window on some layers.</summary>
static class Qwen2
{
    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var config = checkpoint.Config;
        var window = config.Bool("use_sliding_window", false) ? config.IntOrNull("sliding_window", 1, int.MaxValue) ?? 0 : 0;
        return Llama.Describe(checkpoint, Windows(config, window), qkvBias: true, outBias: false, mlpBias: false);
    }

    /// <summary>layer_types (transformers 5) names the sliding layers; before it, those from max_window_layers on slid.</summary>
    static Func<int, int> Windows(ConfigSection config, int window)
    {
        const string Sliding = "sliding_attention";
        if (config.StringsOf("layer_types", CheckpointLimits.LayersMax) is { } types)
        {
            if (Array.Find(types, t => t is not (Sliding or "full_attention")) is { } unknown)
                throw config.Bad("layer_types", $"'{unknown}' is not supported; supported are {Sliding} and full_attention");
            if (types.Length < config.Int("num_hidden_layers", 1, CheckpointLimits.LayersMax))
                throw config.Bad("layer_types", "has fewer entries than num_hidden_layers");
            return layer => types[layer] == Sliding ? window : 0;
        }
        var first = config.IntOrNull("max_window_layers", 0, int.MaxValue) ?? 28;
        return layer => layer >= first ? window : 0;
    }
}
