using System.Text.Json;

namespace Hearth.HistoryCheck;

/// <summary>One line of a history or a dump.</summary>
/// <param name="Place">file:line, for people.</param>
sealed record HistoryLine(long Nanoseconds, string Process, string Op, JsonElement Json, string Place)
{
    /// <returns>Null for a last line that was cut off.</returns>
    /// <exception cref="FormatException">It is no line of a history.</exception>
    public static HistoryLine? Parse(string text, string place, bool isLast)
    {
        try
        {
            var json = JsonElement.Parse(text);
            return new HistoryLine(json.GetProperty("ns").GetInt64(), json.GetProperty("process").GetString()!,
                json.GetProperty("op").GetString()!, json, place);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return isLast ? null : throw new FormatException($"{place} is no line of a history: {e.Message}", e);
        }
    }

    public string Text(string field) => Json.TryGetProperty(field, out var value) ? value.GetString() ?? "" : "";

    /// <returns>-1 if the line has no such number.</returns>
    public long Number(string field) =>
        Json.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt64() : -1;

    public IReadOnlyList<JsonElement> List(string field) =>
        Json.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [];

    public override string ToString() => $"{Place} {Json.GetRawText()}";
}

/// <summary>A store call and its answer; without one, the outcome is unknown.</summary>
sealed record StoreCall(HistoryLine Call, HistoryLine? Answer)
{
    public string Op => Call.Op;
    public string Grain => Call.Text("grain");
    public string Turn => Call.Text("turn");
    public long Epoch => Call.Number("epoch");
    public string Activation => Call.Text("activation");
    public string Outcome => Answer?.Text("outcome") ?? "unknown";
    public long Begun => Call.Nanoseconds;

    /// <summary>When its effect was certainly there, or never was.</summary>
    public long Ended => Answer?.Nanoseconds ?? long.MaxValue;

    /// <summary>A commit: hashes of the entries that it appends.</summary>
    public IReadOnlyList<string> Entries => [.. Call.List("entries").Select(e => e.GetString()!)];

    /// <summary>Whether the store may have taken it.</summary>
    public bool MayHaveWritten => Outcome is "done" or "unknown" or "duplicate";

    public override string ToString() => $"{Call}\n    -> {(Answer is null ? "no answer" : Answer.ToString())}";
}

/// <summary>An activation that the store granted.</summary>
sealed record Grant(string Grain, long Epoch, string Activation, string Silo, StoreCall Call);

/// <summary>One attempt of a client at a turn.</summary>
sealed record ClientStream(HistoryLine Send, IReadOnlyList<HistoryLine> Events, HistoryLine? End)
{
    public string Grain => Send.Text("grain");
    public string Turn => Send.Text("turn");
    public bool Acknowledged => End?.Text("outcome") == "finished";
    public string Text => End?.Text("text") ?? "";

    /// <summary>Events that show nothing to this client are left out.</summary>
    public bool IsSparse => Send.Json.TryGetProperty("sparse", out var sparse) && sparse.ValueKind == JsonValueKind.True;
}
