using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>A chat completion request that has been checked: nothing of it is doubted again.</summary>
sealed record ChatRequest
{
    public required string Model { get; init; }
    public required IReadOnlyList<ConversationItem> Items { get; init; }
    public required GenerationOptions Generation { get; init; }
    public required Delivery Delivery { get; init; }

    /// <summary>The conversation that the client named; then the items are its new ones only.</summary>
    public ConversationId? Conversation { get; init; }

    public string? CacheSalt { get; init; }
    public IReadOnlyDictionary<string, JsonElement>? TemplateArguments { get; init; }

    /// <summary>Template variables that a client may set, with the kind of their value.</summary>
    static readonly IReadOnlyDictionary<string, JsonValueKind> s_templateArguments = new Dictionary<string, JsonValueKind>
    {
        ["enable_thinking"] = JsonValueKind.True,
        ["thinking"] = JsonValueKind.True,
        ["thinking_budget"] = JsonValueKind.Number,
        ["reasoning_effort"] = JsonValueKind.String,
        ["date_string"] = JsonValueKind.String,
    };

    /// <returns>Null if anything is wrong with it: then <paramref name="faults"/> says what.</returns>
    public static ChatRequest? Read(JsonElement root, IReadOnlyList<ModelCard> models, Faults faults)
    {
        var request = new Fields(root, "", faults);
        var model = GenerationFields.Model(request, models);
        RefuseUnsupported(request);
        CheckMetadata(request);
        var generation = Logprobs(request, GenerationFields.Read(request, model?.VocabularySize ?? int.MaxValue));
        var read = new ChatRequest
        {
            Model = model?.Name ?? "",
            Items = Messages.Read(request),
            Generation = generation,
            Delivery = GenerationFields.ReadDelivery(request),
            Conversation = ReadConversation(request),
            CacheSalt = request.Text("cache_salt", Limits.CacheSaltMax, 1),
            TemplateArguments = ReadTemplateArguments(request),
        };
        return faults.First is null ? read : null;
    }

    static GenerationOptions Logprobs(Fields request, GenerationOptions generation)
    {
        var wanted = request.Flag("logprobs") ?? false;
        var top = (int)(request.Integer("top_logprobs", 0, Limits.TopLogprobsMax) ?? 0);
        if (top > 0 && !wanted)
        {
            request.Fail("top_logprobs", "needs logprobs to be true.");
        }
        return generation with { Logprobs = wanted, Sampling = generation.Sampling with { TopLogprobs = top } };
    }

    static void RefuseUnsupported(Fields request)
    {
        var choice = request.Get("tool_choice");
        var named = choice is { ValueKind: JsonValueKind.String } ? request.Text("tool_choice", 64) : null;
        if (named != "none")
        {
            if (request.Get("tools", JsonValueKind.Array, "an array")?.GetArrayLength() > 0)
            {
                request.Fail("tools", "tool calls are not supported yet; leave tools out, or set tool_choice to none.");
            }
            if (choice is not null && named != "auto")
            {
                request.Fail("tool_choice", "tool calls are not supported yet; only none and auto are taken.");
            }
        }
        if (request.Get("functions", JsonValueKind.Array, "an array")?.GetArrayLength() > 0)
        {
            request.Fail("functions", "tool calls are not supported yet.");
        }
        if (request.Object("response_format") is { } format && format.Text("type", 64) != "text")
        {
            format.Fail("type", "only text is supported yet, not json_object or json_schema.");
        }
        foreach (var (value, path) in request.Items("modalities", 8))
        {
            if (Fields.TextOf(value, path, request.Faults, 64) != "text")
            {
                request.Faults.Add(path, "only text is supported yet.");
            }
        }
        if (request.Has("audio"))
        {
            request.Fail("audio", "is not supported yet.");
        }
    }

    static void CheckMetadata(Fields request)
    {
        foreach (var entry in request.Properties("metadata", Limits.MetadataMax))
        {
            var path = FieldPath.Join("metadata", entry.Name);
            if (entry.Name.Length > Limits.MetadataKeyMax)
            {
                request.Faults.Add(path, $"the name is longer than {Limits.MetadataKeyMax} characters.");
            }
            Fields.TextOf(entry.Value, path, request.Faults, Limits.MetadataValueMax);
        }
    }

    static ConversationId? ReadConversation(Fields request)
    {
        if (request.Get("conversation") is not { } value)
        {
            return null;
        }
        var id = value.ValueKind == JsonValueKind.Object
            ? request.Object("conversation")?.Text("id", ConversationId.LengthMax)
            : request.Text("conversation", ConversationId.LengthMax);
        if (!ConversationId.IsValid(id))
        {
            request.Fail(value.ValueKind == JsonValueKind.Object ? "conversation.id" : "conversation",
                $"must be 1 to {ConversationId.LengthMax} of A-Z a-z 0-9 _ . : -.");
            return null;
        }
        return new ConversationId(id!);
    }

    static Dictionary<string, JsonElement>? ReadTemplateArguments(Fields request)
    {
        Dictionary<string, JsonElement>? arguments = null;
        foreach (var entry in request.Properties("chat_template_kwargs", s_templateArguments.Count))
        {
            var path = FieldPath.Join("chat_template_kwargs", entry.Name);
            if (!s_templateArguments.TryGetValue(entry.Name, out var kind))
            {
                request.Faults.Add(path, $"may not be set; {string.Join(", ", s_templateArguments.Keys)} may.");
                return null;
            }
            var value = entry.Value;
            if (value.ValueKind == JsonValueKind.Null)
            {
                continue;
            }
            if (kind == JsonValueKind.String)
            {
                Fields.TextOf(value, path, request.Faults, Limits.TemplateTextMax);
            }
            else if (kind == JsonValueKind.Number)
            {
                Fields.NumberOf(value, path, request.Faults, 0, Limits.TokensMax);
            }
            else if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
            {
                request.Faults.Add(path, "must be true or false.");
            }
            (arguments ??= [])[entry.Name] = value.Clone();
        }
        return arguments;
    }
}
