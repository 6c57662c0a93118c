using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>A place in a turn's stream, as its <c>id:</c> lines name it: <c>7</c> after all chunks of event 7, <c>7.0</c> after
/// the first of several. Ordered.</summary>
readonly record struct StreamPosition(int Event, int Part = int.MaxValue) : IComparable<StreamPosition>
{
    public const string EventIdsHeader = "X-Hearth-Event-Ids";

    public static StreamPosition Start { get; } = new(-1);

    public static bool IsWanted(HttpContext http) =>
        http.Request.Headers[EventIdsHeader] is [{ } value] && bool.TryParse(value, out var wanted) && wanted;

    /// <returns>Null if the text is not a position.</returns>
    public static StreamPosition? Parse(string text)
    {
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        var (happened, part) = dot < 0 ? (text, null) : (text[..dot], text[(dot + 1)..]);
        return Number(happened) is not { } number ? null
            : part is null ? new StreamPosition(number)
            : Number(part) is { } known ? new StreamPosition(number, known) : null;

        static int? Number(string digits) =>
            int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
    }

    public int CompareTo(StreamPosition other) =>
        Event != other.Event ? Event.CompareTo(other.Event) : Part.CompareTo(other.Part);

    public bool TryWrite(Span<byte> to, out int written) => Part == int.MaxValue
        ? Event.TryFormat(to, out written, provider: CultureInfo.InvariantCulture)
        : System.Text.Unicode.Utf8.TryWrite(to, CultureInfo.InvariantCulture, $"{Event}.{Part}", out written);
}
