using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>The model families, by config.json's model_type: each maps its fields and parameter names to a
/// <see cref="ModelSpec"/>.</summary>
static class Family
{
    static readonly Dictionary<string, Func<Checkpoint, ModelSpec>> Known = new(StringComparer.Ordinal)
    {
        ["gpt2"] = Gpt2.Describe,
        ["llama"] = Llama.Describe,
        ["mistral"] = Mistral.Describe,
        ["qwen2"] = Qwen2.Describe,
    };

    public static ModelSpec Describe(Checkpoint checkpoint) => Require(checkpoint.Config)(checkpoint);

    /// <exception cref="CheckpointException">The family is not supported.</exception>
    public static Func<Checkpoint, ModelSpec> Require(ConfigSection config)
    {
        var type = config.String("model_type") ?? throw config.Bad("model_type", "is missing");
        return Known.TryGetValue(type, out var describe)
            ? describe
            : throw config.Bad("model_type", $"'{Short(type)}' is not supported; supported are {string.Join(", ", Known.Keys)}");
    }

    static string Short(string text) => text.Length <= 64 ? text : text[..64] + "…";
}
