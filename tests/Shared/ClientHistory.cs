using System.Text.Json;

namespace Hearth.Tests.Shared;

/// <summary>Writes what a client of the cluster saw, one JSON object a line, for tools/HistoryCheck (its README describes the
/// lines). Nanoseconds come from the machine's monotonic clock, which all processes of a machine share. Thread-safe.</summary>
/// <param name="client">A name that no other client of the run has.</param>
public sealed class ClientHistory(Stream output, string client, TimeProvider time) : IDisposable
{
    readonly Lock _lock = new();
    readonly MemoryStream _line = new();
    long _streams;

    /// <param name="directory">That of the silos' histories.</param>
    public static ClientHistory Create(string directory, string client) =>
        new(new FileStream(Path.Combine(Directory.CreateDirectory(directory).FullName, $"client-{client}.jsonl"),
            FileMode.Append, FileAccess.Write, FileShare.Read), client, TimeProvider.System);

    /// <summary>A turn is sent, for the first time or again, or its stream is resumed.</summary>
    /// <param name="grain">tenant/conversation.</param>
    /// <param name="turn">The turn's id: the Idempotency-Key.</param>
    /// <param name="body">Anything that is the same if and only if the request is the same.</param>
    /// <param name="from">The first event that is asked for; null where events have no numbers.</param>
    /// <param name="sparse">Whether events that show nothing are left out of the numbers.</param>
    /// <returns>Number of this stream, for the lines that follow.</returns>
    public long Send(string grain, string turn, string body, string via, int? from = null, bool sparse = false)
    {
        var stream = Interlocked.Increment(ref _streams);
        Write("send", json =>
        {
            json.WriteNumber("stream", stream);
            json.WriteString("grain", grain);
            json.WriteString("turn", turn);
            json.WriteString("body", body);
            json.WriteString("via", via);
            if (from is { } first)
                json.WriteNumber("from", first);
            if (sparse)
                json.WriteBoolean("sparse", true);
        });
        return stream;
    }

    /// <summary>An event of a stream came.</summary>
    /// <param name="number">Its number; null where events have none.</param>
    /// <param name="kind">started, delta, choice, finished or failed.</param>
    /// <param name="text">Of a delta of choice 0; else empty.</param>
    public void Event(long stream, int? number, string kind, string text) => Write("event", json =>
    {
        json.WriteNumber("stream", stream);
        if (number is { } n)
            json.WriteNumber("number", n);
        json.WriteString("kind", kind);
        json.WriteString("text", text);
    });

    /// <summary>The stream is over.</summary>
    /// <param name="outcome">finished (the turn is acknowledged), failed (with a reason), or broken (ended without a word).</param>
    /// <param name="text">Finished: the whole reply as the client has it, over all its streams of this turn.</param>
    public void End(long stream, string outcome, string? error = null, string? text = null) => Write("end", json =>
    {
        json.WriteNumber("stream", stream);
        json.WriteString("outcome", outcome);
        if (error is not null)
            json.WriteString("error", error);
        if (text is not null)
            json.WriteString("text", text);
    });

    /// <summary>The conversation was read: write it with <paramref name="begun"/> from <see cref="Now"/> before the request.</summary>
    /// <param name="turns">Committed turns that it showed.</param>
    public void Read(string grain, string via, long begun, int turns) => Write("read", json =>
    {
        json.WriteString("grain", grain);
        json.WriteString("via", via);
        json.WriteNumber("begun", begun);
        json.WriteNumber("turns", turns);
    });

    /// <summary>What a turn's reply must be: that of a run without faults.</summary>
    public void Baseline(string grain, string turn, string text) => Write("baseline", json =>
    {
        json.WriteString("grain", grain);
        json.WriteString("turn", turn);
        json.WriteString("text", text);
    });

    /// <summary>Nanoseconds of the monotonic clock.</summary>
    public long Now => (long)(time.GetTimestamp() * (1e9 / time.TimestampFrequency));

    public void Dispose()
    {
        lock (_lock)
            output.Dispose();
    }

    void Write(string op, Action<Utf8JsonWriter> fields)
    {
        lock (_lock)
        {
            _line.SetLength(0);
            using (var json = new Utf8JsonWriter(_line))
            {
                json.WriteStartObject();
                json.WriteNumber("ns", Now);
                json.WriteString("process", client);
                json.WriteString("op", op);
                fields(json);
                json.WriteEndObject();
            }
            _line.WriteByte((byte)'\n');
            output.Write(_line.GetBuffer().AsSpan(0, (int)_line.Length));
            output.Flush();
        }
    }
}
