using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway.Cluster;

/// <summary>The events of one turn as its client has them, in the bytes that they came in: what another silo needs to go on.</summary>
sealed class ShownEvents
{
    byte[] _bytes = [];
    int _length;

    public int Count { get; private set; }

    /// <summary>False when they were more than are kept: then nobody else can go on with the turn.</summary>
    public bool IsWhole { get; private set; } = true;

    public void Add(ReadOnlySpan<byte> json)
    {
        Count++;
        if (!IsWhole || _length + json.Length + 1 > Limits.ShownBytesMax)
        {
            (IsWhole, _bytes, _length) = (false, [], 0);
            return;
        }
        if (_length + json.Length + 1 > _bytes.Length)
        {
            // Half as much again: what is never used of a doubled buffer counts, with thousands of streams.
            Array.Resize(ref _bytes, Math.Max(_length + json.Length + 1, Math.Max(512, _bytes.Length / 2 * 3)));
        }
        _bytes[_length] = (byte)(Count == 1 ? '[' : ',');
        json.CopyTo(_bytes.AsSpan(_length + 1));
        _length += json.Length + 1;
    }

    /// <summary>A <see cref="RunTurnCall"/> that goes on after these events.</summary>
    public ReadOnlyMemory<byte> Call(ChatTurn turn)
    {
        var body = new System.Buffers.ArrayBufferWriter<byte>(_length + 1024);
        using var json = new Utf8JsonWriter(body, new JsonWriterOptions { SkipValidation = true });
        json.WriteStartObject();
        json.WritePropertyName("turn");
        JsonSerializer.Serialize(json, turn, ContractsJson.Default.ChatTurn);
        json.WriteNumber("from_event", Count);
        json.WritePropertyName("shown");
        json.WriteRawValue(_length == 0 ? "[]"u8 : [.. _bytes.AsSpan(0, _length), (byte)']'], skipInputValidation: true);
        json.WriteEndObject();
        json.Flush();
        return body.WrittenMemory;
    }
}
