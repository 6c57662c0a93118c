using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>What all chunks of a reply have in common.</summary>
sealed record ReplyHead(string IdPrefix, string Model, int Choices, bool Logprobs, Delivery Delivery);

/// <summary>One choice as it grew, for a reply that is sent as a whole.</summary>
sealed class ChoiceText
{
    public StringBuilder Text { get; } = new();
    public List<TokenLogprob> Logprobs { get; } = [];
    public FinishReason Reason { get; set; }
}

/// <summary>The JSON of a reply, to the byte as OpenAI's clients expect it.</summary>
abstract class ReplyFormat(ReplyHead head)
{
    string _id = "";
    long _created;

    public ReplyHead Head => head;

    /// <summary>Names the reply after its turn, so that a replay has the same name.</summary>
    public void Begin(TurnStarted started)
    {
        var turn = SHA256.HashData(Encoding.UTF8.GetBytes($"{started.Conversation}/{started.Turn}"));
        _id = head.IdPrefix + Convert.ToHexStringLower(turn.AsSpan(0, 16));
        _created = started.Created.ToUnixTimeSeconds();
    }

    /// <summary>Whether a choice starts with a chunk of its own.</summary>
    public abstract bool HasOpening { get; }
    protected abstract string ChunkObject { get; }
    protected abstract string WholeObject { get; }

    /// <summary>A chunk's choice: its content and, at the end, its reason.</summary>
    protected abstract void WriteDelta(Utf8JsonWriter json, TurnDelta delta);
    protected abstract void WriteOpening(Utf8JsonWriter json);
    protected abstract void WriteEnd(Utf8JsonWriter json);
    protected abstract void WriteWhole(Utf8JsonWriter json, ChoiceText choice);

    public void Opening(Utf8JsonWriter json, int choice)
    {
        StartChunk(json, choice);
        WriteOpening(json);
        EndChunk(json, null, null);
    }

    public void Delta(Utf8JsonWriter json, TurnDelta delta)
    {
        StartChunk(json, delta.Choice);
        WriteDelta(json, delta);
        EndChunk(json, null, delta.Text);
    }

    public void End(Utf8JsonWriter json, int choice, FinishReason reason)
    {
        StartChunk(json, choice);
        WriteEnd(json);
        EndChunk(json, Name(reason), null);
    }

    public void UsageChunk(Utf8JsonWriter json, Usage usage)
    {
        Start(json, ChunkObject);
        json.WriteStartArray("choices");
        json.WriteEndArray();
        WriteUsage(json, usage);
        json.WriteEndObject();
    }

    public void Whole(Utf8JsonWriter json, IReadOnlyList<ChoiceText> choices, Usage usage)
    {
        Start(json, WholeObject);
        json.WriteStartArray("choices");
        for (var i = 0; i < choices.Count; i++)
        {
            json.WriteStartObject();
            json.WriteNumber("index", i);
            WriteWhole(json, choices[i]);
            json.WriteString("finish_reason", Name(choices[i].Reason));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        WriteUsage(json, usage);
        json.WriteEndObject();
    }

    void StartChunk(Utf8JsonWriter json, int choice)
    {
        Start(json, ChunkObject);
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", choice);
    }

    void EndChunk(Utf8JsonWriter json, string? reason, string? text)
    {
        json.WriteString("finish_reason", reason);
        json.WriteEndObject();
        json.WriteEndArray();
        if (head.Delivery.IncludeUsage)
        {
            json.WriteNull("usage");
        }
        if (head.Delivery.Obfuscate && text is not null)
        {
            // Rounds the length up, so that the size of a packet does not give the token away.
            json.WriteString("obfuscation", new string('0', 16 - (text.Length % 16)));
        }
        json.WriteEndObject();
    }

    void Start(Utf8JsonWriter json, string kind)
    {
        json.WriteStartObject();
        json.WriteString("id", _id);
        json.WriteString("object", kind);
        json.WriteNumber("created", _created);
        json.WriteString("model", head.Model);
    }

    static void WriteUsage(Utf8JsonWriter json, Usage usage)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", usage.PromptTokens);
        json.WriteNumber("completion_tokens", usage.CompletionTokens);
        json.WriteNumber("total_tokens", usage.PromptTokens + usage.CompletionTokens);
        json.WriteStartObject("prompt_tokens_details");
        json.WriteNumber("cached_tokens", usage.CachedTokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static string Name(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, null),
    };
}
