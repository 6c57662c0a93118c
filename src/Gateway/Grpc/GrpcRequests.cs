using Google.Protobuf.Collections;
using Hearth.Contracts;
using V1 = Hearth.Gateway.Grpc.V1;

namespace Hearth.Gateway;

/// <summary>Checks the requests of the gRPC service as the HTTP API checks its own: the first fault is answered with its
/// field.</summary>
static class GrpcRequests
{
    const int TurnIdMax = ConversationId.LengthMax / 2;

    public static ConversationId Conversation(string id) => ConversationId.IsValid(id)
        ? new ConversationId(id)
        : throw Bad("conversation", $"must be 1 to {ConversationId.LengthMax} of A-Z a-z 0-9 _ . : -.");

    public static TurnId Turn(string id) => ConversationId.IsValid(id)
        ? new TurnId(id)
        : throw Bad("turn", $"must be 1 to {ConversationId.LengthMax} of A-Z a-z 0-9 _ . : -.");

    public static int FromEvent(int number) => number >= 0 ? number : throw Bad("from_event", "must be 0 or more.");

    public static string? Silo(string silo) => silo.Length switch
    {
        0 => null,
        <= Limits.SiloIdMax => silo,
        _ => throw Bad("silo", $"has more than {Limits.SiloIdMax} characters."),
    };

    public static ChatTurn Turn(V1.RunTurnRequest request, GrpcCall call, IReadOnlyList<ModelCard> models, DateTimeOffset now)
    {
        var model = Model(request.Model, models);
        if (request.Turn.Length > TurnIdMax)
        {
            throw Bad("turn", $"has more than {TurnIdMax} characters.");
        }
        if (request is { Conversation: "", Turn: not "" })
        {
            throw Bad("conversation", "is needed with a turn id: only by both is the same request known again.");
        }
        return new ChatTurn
        {
            Id = request.Turn.Length == 0 ? new TurnId(RequestContext.NewId("turn_")) : Turn(request.Turn),
            IsIdDrawn = request.Turn.Length == 0,
            Tenant = call.Tenant,
            Conversation = request.Conversation.Length == 0 ? ConversationFinder.New() : Conversation(request.Conversation),
            Model = model.Name,
            History = request.WholeHistory ? HistoryMode.Whole : HistoryMode.Append,
            Items = Items(request.Messages),
            BodyHash = call.RequestHash,
            Created = now,
            Generation = Generation(request.Generation ?? new V1.Generation(), model.VocabularySize),
            CacheSalt = Text(request.CacheSalt, "cache_salt", Limits.CacheSaltMax) is { Length: > 0 } salt ? salt : null,
        };
    }

    static ModelCard Model(string name, IReadOnlyList<ModelCard> models) => models switch
    {
        [] => throw new GrpcException(ApiError.Of(new TurnFailure(TurnError.ModelLoading, "The model is being loaded."))),
        [var first, ..] when name.Length == 0 => first,
        _ => models.FirstOrDefault(m => m.Name == name)
            ?? throw new GrpcException(ApiError.Of(new TurnFailure(
                TurnError.ModelNotFound, $"model: '{Shorten(name)}' is not served here.", "model"))),
    };

    static List<ConversationItem> Items(RepeatedField<V1.Message> messages)
    {
        Between(messages.Count, "messages", 1, Limits.MessagesMax);
        var items = new List<ConversationItem>(messages.Count);
        for (var i = 0; i < messages.Count; i++)
        {
            Add(items, messages[i], $"messages[{i}]");
        }
        return items;
    }

    static void Add(List<ConversationItem> items, V1.Message message, string path)
    {
        var text = Text(message.Content, $"{path}.content", Limits.ContentCharsMax);
        if (message.Role == V1.Role.Tool)
        {
            var call = Text(message.ToolCallId, $"{path}.tool_call_id", Limits.ToolIdMax, 1);
            items.Add(new FunctionCallOutputItem { CallId = call, Output = text });
            return;
        }
        var role = message.Role switch
        {
            V1.Role.System => Role.System,
            V1.Role.Developer => Role.Developer,
            V1.Role.User => Role.User,
            V1.Role.Assistant => Role.Assistant,
            _ => throw Bad($"{path}.role", "must be one of the roles."),
        };
        if (role != Role.Assistant && message.ToolCalls.Count > 0)
        {
            throw Bad($"{path}.tool_calls", "are the assistant's only.");
        }
        if (text.Length > 0 || message.ToolCalls.Count == 0)
        {
            var name = Text(message.Name, $"{path}.name", Limits.ParticipantNameMax);
            items.Add(MessageItem.Of(role, text) with { Name = name.Length == 0 ? null : name });
        }
        Between(message.ToolCalls.Count, $"{path}.tool_calls", 0, Limits.ToolCallsMax);
        foreach (var call in message.ToolCalls)
        {
            items.Add(new FunctionCallItem
            {
                CallId = Text(call.Id, $"{path}.tool_calls.id", Limits.ToolIdMax, 1),
                Name = Text(call.Name, $"{path}.tool_calls.name", Limits.ToolIdMax, 1),
                Arguments = Text(call.Arguments, $"{path}.tool_calls.arguments", Limits.ContentCharsMax),
            });
        }
    }

    static GenerationOptions Generation(V1.Generation asked, int vocabulary)
    {
        const string Path = "generation.";
        if (asked.TopLogprobs > 0 && !asked.Logprobs)
        {
            throw Bad(Path + "top_logprobs", "needs logprobs to be true.");
        }
        Between(asked.Stop.Count, Path + "stop", 0, Limits.StopTextsMax);
        Between(asked.LogitBias.Count, Path + "logit_bias", 0, Limits.LogitBiasMax);
        return new GenerationOptions
        {
            MaxTokens = asked.HasMaxTokens ? Between(asked.MaxTokens, Path + "max_tokens", 1, Limits.TokensMax) : null,
            Stop = [.. asked.Stop.Select(text => Text(text, Path + "stop", Limits.StopCharsMax, 1))],
            IgnoreEos = asked.IgnoreEos,
            Choices = asked.HasChoices ? Between(asked.Choices, Path + "choices", 1, Limits.ChoicesMax) : 1,
            Logprobs = asked.Logprobs,
            Sampling = new SamplingOptions
            {
                Temperature = asked.HasTemperature ? Between(asked.Temperature, Path + "temperature", 0, 2) : 1,
                TopP = asked.HasTopP ? Math.Max(Between(asked.TopP, Path + "top_p", 0, 1), float.Epsilon) : 1,
                TopK = asked.HasTopK ? Math.Max(0, Between(asked.TopK, Path + "top_k", -1, Limits.TopKMax)) : 0,
                MinP = asked.HasMinP ? Between(asked.MinP, Path + "min_p", 0, 1) : 0,
                RepetitionPenalty =
                    asked.HasRepetitionPenalty ? Between(asked.RepetitionPenalty, Path + "repetition_penalty", 0.01f, 10) : 1,
                FrequencyPenalty =
                    asked.HasFrequencyPenalty ? Between(asked.FrequencyPenalty, Path + "frequency_penalty", -2, 2) : 0,
                PresencePenalty = asked.HasPresencePenalty ? Between(asked.PresencePenalty, Path + "presence_penalty", -2, 2) : 0,
                LogitBias = asked.LogitBias.Count == 0 ? null : asked.LogitBias.ToDictionary(
                    bias => Between(bias.Key, Path + "logit_bias", 0, vocabulary - 1),
                    bias => Between(bias.Value, Path + "logit_bias", -100, 100)),
                Seed = asked.HasSeed ? asked.Seed : null,
                TopLogprobs = Between(asked.TopLogprobs, Path + "top_logprobs", 0, Limits.TopLogprobsMax),
            },
        };
    }

    static string Text(string value, string path, int most, int least = 0) => value.Length >= least && value.Length <= most
        ? value
        : throw Bad(path, $"must have {least} to {most} characters.");

    static int Between(int value, string path, int least, int most) => value >= least && value <= most
        ? value
        : throw Bad(path, $"must be {least} to {most}.");

    // Not a number is neither.
    static float Between(float value, string path, float least, float most) => value >= least && value <= most
        ? value
        : throw Bad(path, FormattableString.Invariant($"must be {least} to {most}."));

    static string Shorten(string name) => name.Length <= Limits.HeaderValueMax ? name : name[..Limits.HeaderValueMax] + "…";

    static GrpcException Bad(string path, string message) => new(ApiError.Field(path, $"{path}: {message}"));
}
