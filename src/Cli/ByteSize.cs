using System.Globalization;

namespace Hearth.Cli;

/// <summary>Sizes as people write them: 512m, 4g, 20MB, 1.5GiB (powers of 1024).</summary>
static class ByteSize
{
    const long BytesMax = 1L << 50;

    public static long Parse(string text)
    {
        var digits = text.AsSpan().TrimEnd("iIbB").TrimEnd();
        var shift = digits is [.., var unit] ? Shift(char.ToLowerInvariant(unit)) : 0;
        if (shift > 0)
            digits = digits[..^1].TrimEnd();
        return double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) &&
            number * (1L << shift) is >= 0 and <= (double)BytesMax and var bytes
            ? (long)bytes
            : throw new FormatException($"'{text}' is not a size; write for example 512m or 4g");
    }

    static int Shift(char unit) => unit switch { 'k' => 10, 'm' => 20, 'g' => 30, 't' => 40, _ => 0 };

    public static string Format(long bytes) => bytes switch
    {
        >= 1L << 30 => $"{bytes / (double)(1L << 30):0.0} GiB",
        >= 1L << 20 => $"{bytes / (double)(1L << 20):0.0} MiB",
        >= 1L << 10 => $"{bytes / (double)(1L << 10):0.0} KiB",
        _ => $"{bytes} B",
    };
}
