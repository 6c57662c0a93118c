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
[JsonSerializable(typeof(ConversationHead))]
[JsonSerializable(typeof(ChatTurn))]
[JsonSerializable(typeof(CompletionTurn))]
[JsonSerializable(typeof(SiloInfo))]
[JsonSerializable(typeof(List<SiloInfo>))]
[JsonSerializable(typeof(RunTurnCall))]
[JsonSerializable(typeof(TurnCall))]
[JsonSerializable(typeof(ConversationCall))]
[JsonSerializable(typeof(ConversationAnswer))]
[JsonSerializable(typeof(DoneAnswer))]
[JsonSerializable(typeof(TextCall))]
[JsonSerializable(typeof(TextAnswer))]
[JsonSerializable(typeof(SiloDescription))]
public sealed partial class ContractsJson : JsonSerializerContext;
