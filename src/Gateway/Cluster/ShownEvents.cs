using System.Buffers;
using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway.Cluster;

/// <summary>The events of one turn as its client has them, in the bytes that they came in: what another silo needs to go
/// on.</summary>
sealed class ShownEvents
{
    // Parts, not one growing array: nothing is copied, and no more than a part is never used.
    readonly List<byte[]> _parts = [];
    int _inLast;
    int _length;

    public int Count { get; private set; }

    /// <summary>False when they were more than are kept: then nobody else can go on with the turn.</summary>
    public bool IsWhole { get; private set; } = true;

    public void Add(ReadOnlySpan<byte> json)
    {
        Count++;
        if (!IsWhole || _length + json.Length + 1 > Limits.ShownBytesMax)
        {
            IsWhole = false;
            _parts.Clear();
            return;
        }
        Put(Count == 1 ? "["u8 : ","u8);
        Put(json);
    }

    /// <summary>A <see cref="RunTurnCall"/> that goes on after these events.</summary>
    public ReadOnlyMemory<byte> Call(ChatTurn turn, bool isNew)
    {
        var body = new ArrayBufferWriter<byte>(_length + 1024);
        using (var json = new Utf8JsonWriter(body, new JsonWriterOptions { SkipValidation = true }))
        {
            json.WriteStartObject();
            json.WritePropertyName("turn");
            JsonSerializer.Serialize(json, turn, ContractsJson.Default.ChatTurn);
            json.WriteBoolean("is_new", isNew);
            json.WriteNumber("from_event", Count);
            json.WritePropertyName("shown");
        }
        for (var i = 0; i < _parts.Count; i++)
        {
            body.Write(i < _parts.Count - 1 ? _parts[i] : _parts[i].AsSpan(0, _inLast));
        }
        body.Write(_parts.Count > 0 ? "]}"u8 : "[]}"u8);
        return body.WrittenMemory;
    }

    void Put(ReadOnlySpan<byte> bytes)
    {
        _length += bytes.Length;
        while (bytes.Length > 0)
        {
            if (_parts.Count == 0 || _inLast == _parts[^1].Length)
            {
                // The last part is full: so each is written to its end before the next one.
                _parts.Add(new byte[_length < 4096 ? 512 : 4096]);
                _inLast = 0;
            }
            var fits = Math.Min(bytes.Length, _parts[^1].Length - _inLast);
            bytes[..fits].CopyTo(_parts[^1].AsSpan(_inLast));
            _inLast += fits;
            bytes = bytes[fits..];
        }
    }
}
