using System.IO.Compression;
using System.Text.Json;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Grains.Transcripts;

namespace Hearth.Grains.Replies;

/// <summary>The stored form of a committed turn: all its events with their numbers, compressed.</summary>
static class TurnRecord
{
    public static byte[] ToBytes(List<TurnEvent> events)
    {
        using var bytes = new MemoryStream();
        using (var brotli = new BrotliStream(bytes, CompressionLevel.Fastest))
            JsonSerializer.Serialize(brotli, events, GrainsJson.Default.ListTurnEvent);
        return bytes.ToArray();
    }

    /// <summary>An event as it is told again.</summary>
    public static TurnEvent Replayed(TurnEvent e) => e is TurnFinished finished ? finished with { Replayed = true } : e;

    public static List<TurnEvent> FromBytes(byte[] record)
    {
        using var brotli = new BrotliStream(new MemoryStream(record), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        var buffer = new byte[16 << 10];
        while (brotli.Read(buffer) is var read and > 0)
        {
            if (bytes.Length + read > Limits.TurnRecordBytesMax)
                throw new StoreException($"A stored turn has more than {Limits.TurnRecordBytesMax} bytes.");
            bytes.Write(buffer.AsSpan(0, read));
        }
        return JsonSerializer.Deserialize(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), GrainsJson.Default.ListTurnEvent) ?? [];
    }
}
