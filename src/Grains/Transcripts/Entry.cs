using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Grains.Prompts;

namespace Hearth.Grains.Transcripts;

/// <summary>One entry of a transcript as it is stored.</summary>
/// <param name="Anchors">Of a reply: where its exact tokens end. Empty for everything else.</param>
sealed record Entry(ConversationItem Item, IReadOnlyList<Anchor> Anchors)
{
    public static Entry Of(ConversationItem item, params IReadOnlyList<Anchor> anchors) =>
        new(item.Id is null ? item with { Id = NewId(item) } : item, anchors);

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, GrainsJson.Default.Entry);

    public static Entry FromBytes(byte[] bytes) => JsonSerializer.Deserialize(bytes, GrainsJson.Default.Entry)
        ?? throw new StoreException("A transcript holds an empty entry.");

    static string NewId(ConversationItem item)
    {
        var prefix = item switch
        {
            FunctionCallItem => "fc",
            FunctionCallOutputItem => "fco",
            ReasoningItem => "rs",
            _ => "msg",
        };
        return $"{prefix}_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}";
    }
}

/// <summary>What is stored of a conversation beside its entries and tokens.</summary>
/// <param name="Model">Of the last turn.</param>
/// <param name="Fingerprint">Of that model: the tokens mean something to it alone.</param>
/// <param name="Turns">Turns committed.</param>
/// <param name="CacheSalt">Of the last turn.</param>
sealed record ConversationState(string Model, string Fingerprint, int Turns, string? CacheSalt = null)
{
    public static ConversationState None { get; } = new("", "", 0);

    public static ConversationState FromBytes(byte[] bytes) =>
        bytes.Length == 0 ? None : JsonSerializer.Deserialize(bytes, GrainsJson.Default.ConversationState)!;

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, GrainsJson.Default.ConversationState);
}

/// <summary>The forms of this project's records in the store.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, AllowOutOfOrderMetadataProperties = true)]
[JsonSerializable(typeof(Entry))]
[JsonSerializable(typeof(ConversationState))]
[JsonSerializable(typeof(Caches.SpillManifest))]
[JsonSerializable(typeof(List<TurnEvent>))]
sealed partial class GrainsJson : JsonSerializerContext;
