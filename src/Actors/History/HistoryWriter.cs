using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Hearth.Actors.Storage;

namespace Hearth.Actors.History;

/// <summary>Writes what a process did to a file, one JSON object a line, for the offline checker (tools/HistoryCheck).
/// For tests: each line is flushed before the call goes on, so that a killed process leaves all that it began.
/// Thread-safe.</summary>
public sealed class HistoryWriter(Stream output, string process, TimeProvider time) : IDisposable
{
    /// <summary>The environment variable that names the folder; without it nothing is recorded.</summary>
    public const string Variable = "HEARTH_HISTORY";

    const int HashBytes = 16;

    readonly Lock _lock = new();
    readonly ArrayBufferWriter<byte> _line = new();
    long _written;
    long _calls;

    /// <param name="process">A silo's id, or a name for another process.</param>
    /// <returns>Null if no history is wanted.</returns>
    public static HistoryWriter? FromEnvironment(string process, TimeProvider time)
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } directory)
            return null;
        var name = string.Concat(process.Select(c => char.IsAsciiLetterOrDigit(c) || c == '-' ? c : '_'));
        var path = Path.Combine(Directory.CreateDirectory(directory).FullName, $"{name}-{Environment.ProcessId}.jsonl");
        return new HistoryWriter(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0),
            process, time);
    }

    /// <summary>Hash of contents, as the lines have it.</summary>
    public static string HashOf(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return Convert.ToHexStringLower(hash[..HashBytes]);
    }

    /// <summary>Writes a line that has no answer.</summary>
    public void Write(string op, Action<Utf8JsonWriter> fields) => Write(op, null, 0, fields);

    /// <summary>Records a call before it is made, and its answer.</summary>
    public async ValueTask<T> CallAsync<T>(
        string op, Action<Utf8JsonWriter> request, Func<ValueTask<T>> call, Action<Utf8JsonWriter, T> answer)
    {
        var number = Interlocked.Increment(ref _calls);
        Write(op, "call", number, request);
        try
        {
            var result = await call();
            Write(op, "answer", number, json => answer(json, result));
            return result;
        }
        catch (Exception e)
        {
            // Only a store that says so certainly wrote nothing.
            var unknown = e is not StoreException { OutcomeUnknown: false };
            Write(op, "answer", number, json => json.WriteString("outcome", unknown ? "unknown" : "error"));
            throw;
        }
    }

    public void Dispose()
    {
        lock (_lock)
            output.Dispose();
    }

    void Write(string op, string? phase, long number, Action<Utf8JsonWriter> fields)
    {
        lock (_lock)
        {
            if (_written > Limits.HistoryBytesMax)
            {
                throw new StoreException(
                    $"The history of {process} has more than {Limits.HistoryBytesMax} bytes: unset {Variable}.");
            }
            _line.ResetWrittenCount();
            using (var json = new Utf8JsonWriter(_line))
            {
                json.WriteStartObject();
                json.WriteNumber("ns", (long)(time.GetTimestamp() * (1e9 / time.TimestampFrequency)));
                json.WriteString("process", process);
                json.WriteString("op", op);
                if (phase is not null)
                    json.WriteNumber(phase, number);
                fields(json);
                json.WriteEndObject();
            }
            _line.Write("\n"u8);
            output.Write(_line.WrittenSpan);
            output.Flush();
            _written += _line.WrittenCount;
        }
    }
}
