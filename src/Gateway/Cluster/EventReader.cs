using System.Text.Json;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Gateway.Cluster;

/// <summary>Reads a silo's events. Plain text comes once per token, so it is read by hand, without its tokens: they are for
/// silos, in the bytes that came.</summary>
static class EventReader
{
    /// <exception cref="PeerException">The bytes are no event.</exception>
    public static TurnEvent Read(ReadOnlySpan<byte> json)
    {
        try
        {
            return Text(json) ?? JsonSerializer.Deserialize(json, ContractsJson.Default.TurnEvent)
                ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new PeerException(PeerFault.Failed, $"The silo sent an event that cannot be read: {e.Message}", e);
        }
    }

    /// <returns>Null if it is anything but a delta without log-probabilities.</returns>
    static TurnDelta? Text(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        var (isDelta, choice, sequence, text) = (false, 0, 0, (string?)null);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return null;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("event"u8))
            {
                reader.Read();
                isDelta = reader.ValueTextEquals("delta"u8);
            }
            else if (isDelta && reader.ValueTextEquals("sequence"u8))
            {
                sequence = Number(ref reader);
            }
            else if (isDelta && reader.ValueTextEquals("choice"u8))
            {
                choice = Number(ref reader);
            }
            else if (isDelta && reader.ValueTextEquals("text"u8))
            {
                reader.Read();
                text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            }
            else if (isDelta && reader.ValueTextEquals("tokens"u8))
            {
                reader.Skip();
            }
            else if (!isDelta || !reader.ValueTextEquals("logprobs"u8) || !IsEmptyArray(ref reader))
            {
                return null;
            }
        }
        return isDelta && text is not null ? new TurnDelta { Choice = choice, Text = text, Sequence = sequence } : null;
    }

    static int Number(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.Number
        && reader.TryGetInt32(out var value) ? value : throw new JsonException("a number of an event is none");

    static bool IsEmptyArray(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.StartArray
        && reader.Read() && reader.TokenType == JsonTokenType.EndArray;
}
