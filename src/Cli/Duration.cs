using System.Globalization;

namespace Hearth.Cli;

/// <summary>Times as people write them: 250ms, 1.5s, 2m, 1h, 7d; a bare number is seconds.</summary>
static class Duration
{
    static readonly (string Unit, double Seconds)[] Units =
        [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("", 1)];

    public static TimeSpan Parse(string text)
    {
        var (unit, seconds) = Units.First(u => text.EndsWith(u.Unit, StringComparison.Ordinal));
        return double.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            && number * seconds is >= 0 and < 1e9 and var total
            ? TimeSpan.FromSeconds(total)
            : throw new FormatException($"'{text}' is not a time; write for example 250ms, 1.5s or 2m");
    }
}
