using System.IO.Compression;
using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.History;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;

namespace Hearth.HistoryCheck;

/// <summary>Writes down what the store holds of everything that the histories name.</summary>
static class Dump
{
    const int ResultBytesMax = 64 << 20;

    public static async Task WriteAsync(
        History history, IGrainStore grains, IMembershipStore? members, Stream output, CancellationToken cancellationToken)
    {
        var names = history.Calls.Select(c => c.Grain).Concat(history.Streams.Select(s => s.Grain)).Where(g => g.Length > 0);
        foreach (var name in names.Distinct().Order(StringComparer.Ordinal))
        {
            var turns = history.Calls.Where(c => c.Grain == name).Select(c => c.Turn)
                .Concat(history.Streams.Where(s => s.Grain == name).Select(s => s.Turn)).Where(t => t.Length > 0).Distinct();
            var line = await GrainAsync(grains, name, [.. turns.Order(StringComparer.Ordinal)], cancellationToken);
            await WriteLineAsync(output, line, cancellationToken);
        }
        if (members is null)
            return;
        var view = (await members.ReadAsync(cancellationToken)).View;
        await WriteLineAsync(output, Line("dump_members", json =>
        {
            json.WriteString("incarnation", view.Incarnation);
            json.WriteNumber("version", view.Version);
            json.WriteStartObject("silos");
            foreach (var silo in view.Silos)
                json.WriteString(silo.Id, JsonNamingPolicy.SnakeCaseLower.ConvertName(silo.Status.ToString()));
            json.WriteEndObject();
        }), cancellationToken);
    }

    static async Task<byte[]> GrainAsync(IGrainStore store, string name, string[] turns, CancellationToken cancellationToken)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var grain = new GrainId(name[..slash], name[(slash + 1)..]);
        var read = await store.ReadAsync(grain, cancellationToken);
        var operations = new List<StoredOperation>();
        foreach (var turn in turns)
        {
            if (await store.FindOperationAsync(grain, turn, cancellationToken) is { } operation)
                operations.Add(operation);
        }
        return Line("dump", json =>
        {
            json.WriteString("grain", name);
            json.WriteBoolean("deleted", read is null);
            json.WriteNumber("epoch", read?.Summary.Epoch ?? 0);
            json.WriteString("activation", read?.Summary.Owner?.Activation);
            json.WriteStartArray("log");
            foreach (var entry in read?.Log ?? [])
                WriteEntry(json, entry);
            json.WriteEndArray();
            json.WriteStartArray("turns");
            foreach (var operation in operations)
                WriteOperation(json, operation);
            json.WriteEndArray();
        });
    }

    static void WriteEntry(Utf8JsonWriter json, byte[] entry)
    {
        json.WriteStartObject();
        json.WriteString("hash", HistoryWriter.HashOf(entry));
        var item = JsonElement.Parse(entry).GetProperty("item");
        if (item.TryGetProperty("role", out var role))
            json.WriteString("role", role.GetString());
        if (item.TryGetProperty("content", out var content))
            json.WriteString("text", string.Concat(content.EnumerateArray().Select(c => c.GetProperty("text").GetString())));
        json.WriteEndObject();
    }

    static void WriteOperation(Utf8JsonWriter json, StoredOperation operation)
    {
        json.WriteStartObject();
        json.WriteString("turn", operation.Id);
        json.WriteString("status", JsonNamingPolicy.SnakeCaseLower.ConvertName(operation.Status.ToString()));
        json.WriteString("body_hash", operation.Hash);
        json.WriteNumber("epoch", operation.Epoch);
        if (operation.Result is { } result)
        {
            json.WriteString("result", HistoryWriter.HashOf(result));
            json.WriteString("text", TextOf(result));
        }
        json.WriteEndObject();
    }

    /// <summary>The reply of choice 0 in a turn's record, which is its events as JSON under Brotli.</summary>
    static string TextOf(byte[] record)
    {
        using var brotli = new BrotliStream(new MemoryStream(record), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        var buffer = new byte[16 << 10];
        while (brotli.Read(buffer) is var read and > 0)
        {
            if (bytes.Length + read > ResultBytesMax)
                throw new FormatException($"A turn's record has more than {ResultBytesMax} bytes.");
            bytes.Write(buffer.AsSpan(0, read));
        }
        var deltas = JsonElement.Parse(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)).EnumerateArray()
            .Where(e => e.GetProperty("event").GetString() == "delta"
                && (!e.TryGetProperty("choice", out var choice) || choice.GetInt32() == 0));
        return string.Concat(deltas.Select(e => e.GetProperty("text").GetString()));
    }

    static byte[] Line(string op, Action<Utf8JsonWriter> fields)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteNumber("ns", 0);
            json.WriteString("process", "dump");
            json.WriteString("op", op);
            fields(json);
            json.WriteEndObject();
        }
        return bytes.ToArray();
    }

    static async Task WriteLineAsync(Stream output, byte[] line, CancellationToken cancellationToken)
    {
        await output.WriteAsync(line, cancellationToken);
        await output.WriteAsync("\n"u8.ToArray(), cancellationToken);
    }
}
