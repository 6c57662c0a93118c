using System.Text.Json.Serialization;

namespace Hearth.Actors.Placement;

/// <summary>What a silo says of itself with every beat.</summary>
public sealed record SiloLoad
{
    /// <summary>Models that it serves now.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];
    public int Activations { get; init; }
    public int Running { get; init; }
    public int Waiting { get; init; }
    public int BlocksTotal { get; init; }

    /// <summary>Blocks of running sequences and of kept caches.</summary>
    public int BlocksUsed { get; init; }

    /// <summary>What it has done since it started, by name: for people who watch the cluster.</summary>
    public IReadOnlyDictionary<string, long> Counts { get; init; } = new Dictionary<string, long>();

    /// <summary>Keys of prefixes that it computed lately, newest first: a conversation that begins with one is cheap
    /// there.</summary>
    public IReadOnlyList<ulong> Prefixes { get; init; } = [];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(SiloLoad))]
public sealed partial class PlacementJson : JsonSerializerContext;
