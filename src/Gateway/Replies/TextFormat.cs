using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary><c>text_completion</c>: whole and chunk have one shape.</summary>
sealed class TextFormat(ReplyHead head) : ReplyFormat(head)
{
    // Where in its choice's text the next token starts.
    readonly int[] _offsets = new int[head.Choices];

    public override bool HasOpening => false;
    protected override string ChunkObject => "text_completion";
    protected override string WholeObject => "text_completion";

    protected override void WriteOpening(Utf8JsonWriter json) => throw new NotSupportedException("A text has no opening chunk.");

    protected override void WriteDelta(Utf8JsonWriter json, TurnDelta delta)
    {
        json.WriteString("text", delta.Text);
        _offsets[delta.Choice] = WriteLogprobs(json, delta.Logprobs, _offsets[delta.Choice]);
    }

    protected override void WriteEnd(Utf8JsonWriter json)
    {
        json.WriteString("text", "");
        json.WriteNull("logprobs");
    }

    protected override void WriteWhole(Utf8JsonWriter json, ChoiceText choice)
    {
        json.WriteString("text", choice.Text.ToString());
        WriteLogprobs(json, choice.Logprobs, 0);
    }

    int WriteLogprobs(Utf8JsonWriter json, IReadOnlyList<TokenLogprob> tokens, int offset)
    {
        if (!Head.Logprobs)
        {
            json.WriteNull("logprobs");
            return offset;
        }
        json.WriteStartObject("logprobs");
        json.WriteStartArray("tokens");
        foreach (var token in tokens)
        {
            json.WriteStringValue(token.Token);
        }
        json.WriteEndArray();
        json.WriteStartArray("token_logprobs");
        foreach (var token in tokens)
        {
            json.WriteNumberValue(Logprob.Finite(token.Logprob));
        }
        json.WriteEndArray();
        json.WriteStartArray("top_logprobs");
        foreach (var token in tokens)
        {
            json.WriteStartObject();
            // Different tokens may have one text (parts of a code point): the more probable one, which comes first, stays.
            foreach (var other in token.Top.DistinctBy(t => t.Token))
            {
                json.WriteNumber(other.Token, Logprob.Finite(other.Logprob));
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("text_offset");
        foreach (var token in tokens)
        {
            json.WriteNumberValue(offset);
            offset += token.Token.Length;
        }
        json.WriteEndArray();
        json.WriteEndObject();
        return offset;
    }
}
