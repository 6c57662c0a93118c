using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary><c>chat.completion</c> and <c>chat.completion.chunk</c>.</summary>
sealed class ChatFormat(ReplyHead head) : ReplyFormat(head)
{
    public const string IdPrefix = "chatcmpl-";

    public override bool HasOpening => true;
    protected override string ChunkObject => "chat.completion.chunk";
    protected override string WholeObject => "chat.completion";

    protected override void WriteOpening(Utf8JsonWriter json)
    {
        json.WriteStartObject("delta");
        json.WriteString("role", "assistant");
        json.WriteString("content", "");
        json.WriteEndObject();
        json.WriteNull("logprobs");
    }

    protected override void WriteDelta(Utf8JsonWriter json, TurnDelta delta)
    {
        json.WriteStartObject("delta");
        json.WriteString("content", delta.Text);
        json.WriteEndObject();
        WriteLogprobs(json, delta.Logprobs);
    }

    protected override void WriteEnd(Utf8JsonWriter json)
    {
        json.WriteStartObject("delta");
        json.WriteEndObject();
        json.WriteNull("logprobs");
    }

    protected override void WriteWhole(Utf8JsonWriter json, ChoiceText choice)
    {
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteString("content", choice.Text.ToString());
        json.WriteNull("refusal");
        json.WriteEndObject();
        WriteLogprobs(json, choice.Logprobs);
    }

    void WriteLogprobs(Utf8JsonWriter json, IReadOnlyList<TokenLogprob> tokens)
    {
        if (!Head.Logprobs)
        {
            json.WriteNull("logprobs");
            return;
        }
        json.WriteStartObject("logprobs");
        json.WriteStartArray("content");
        foreach (var token in tokens)
        {
            json.WriteStartObject();
            WriteToken(json, token.Token, token.Logprob, token.Bytes);
            json.WriteStartArray("top_logprobs");
            foreach (var other in token.Top)
            {
                json.WriteStartObject();
                WriteToken(json, other.Token, other.Logprob, other.Bytes);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteNull("refusal");
        json.WriteEndObject();
    }

    static void WriteToken(Utf8JsonWriter json, string token, float logprob, byte[] bytes)
    {
        json.WriteString("token", token);
        json.WriteNumber("logprob", Logprob.Finite(logprob));
        json.WriteStartArray("bytes");
        foreach (var value in bytes)
        {
            json.WriteNumberValue(value);
        }
        json.WriteEndArray();
    }
}

static class Logprob
{
    /// <summary>JSON has no minus infinity; OpenAI writes -9999 for a token without probability.</summary>
    public static float Finite(float value) => float.IsFinite(value) ? value : -9999;
}
