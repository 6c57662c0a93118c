using System.Text.Json.Serialization;

namespace Hearth.Contracts;

/// <summary>The wire and store form of the contracts: snake_case, nulls left out.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, AllowOutOfOrderMetadataProperties = true)]
[JsonSerializable(typeof(ConversationItem))]
[JsonSerializable(typeof(IReadOnlyList<ConversationItem>))]
[JsonSerializable(typeof(List<ConversationItem>))]
[JsonSerializable(typeof(TurnEvent))]
[JsonSerializable(typeof(List<TurnEvent>))]
[JsonSerializable(typeof(Usage))]
[JsonSerializable(typeof(ConversationInfo))]
[JsonSerializable(typeof(List<ConversationInfo>))]
public sealed partial class ContractsJson : JsonSerializerContext;
