using System.Globalization;
using System.Numerics;

namespace Hearth.Text.Templates;

/// <summary>Python's text of numbers, and numbers from text.</summary>
static class Numbers
{
    /// <summary>repr(float): the shortest digits that round-trip, with an exponent below 1e-4 and from 1e16 on.</summary>
    public static string Repr(double value)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        var roundTrip = value.ToString("R", CultureInfo.InvariantCulture);
        var sign = roundTrip[0] == '-' ? "-" : "";
        var (digits, exponent) = Digits(roundTrip.TrimStart('-'));
        if (exponent is < -4 or >= 16)
        {
            var mantissa = digits.Length > 1 ? $"{digits[0]}.{digits[1..]}" : digits;
            return $"{sign}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }
        if (exponent < 0)
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        digits = digits.PadRight(exponent + 2, '0');
        return $"{sign}{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    /// <summary>Digits after the point, rounded half to even on the exact binary value as Python does.</summary>
    public static string Fixed(double value, int precision)
    {
        // Forty digits more than asked tell a tie from a near tie: a double that is no tie shows it within them.
        var exact = Math.Abs(value).ToString($"F{precision + 40}", CultureInfo.InvariantCulture);
        var point = exact.IndexOf('.');
        var kept = BigInteger.Parse(
            string.Concat(exact.AsSpan(0, point), exact.AsSpan(point + 1, precision)), CultureInfo.InvariantCulture);
        var rest = exact.AsSpan(point + 1 + precision);
        var isTie = rest[0] == '5' && rest[1..].IndexOfAnyExcept('0') < 0;
        if (isTie ? !kept.IsEven : rest[0] >= '5')
            kept += 1;
        var digits = kept.ToString(CultureInfo.InvariantCulture).PadLeft(precision + 1, '0');
        var sign = double.IsNegative(value) ? "-" : "";
        return precision == 0 ? sign + digits : $"{sign}{digits[..^precision]}.{digits[^precision..]}";
    }

    /// <summary>int(text, base): signs, underscores and base prefixes as in Python; null when it is no integer.</summary>
    public static BigInteger? ParseInt(string text, int radix)
    {
        var digits = text.Trim();
        var negative = digits.StartsWith('-');
        if (negative || digits.StartsWith('+'))
            digits = digits[1..];
        var prefix = digits.Length > 1 && digits[0] == '0' ? char.ToLowerInvariant(digits[1]) : ' ';
        var prefixRadix = prefix switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 };
        if (prefixRadix != 0 && (radix == 0 || radix == prefixRadix))
            (digits, radix) = (digits[2..], prefixRadix);
        radix = radix == 0 ? 10 : radix;
        var isMisplaced = digits.StartsWith('_') || digits.EndsWith('_') || digits.Contains("__");
        if (isMisplaced || digits.Length is 0 or > TemplateLimits.IntegerDigits)
            return null;
        var number = BigInteger.Zero;
        foreach (var c in digits)
        {
            var digit = char.IsAsciiLetter(c) ? (c | 0x20) - 'a' + 10 : char.IsDigit(c) ? (int)char.GetNumericValue(c) : 99;
            if (c == '_')
                continue;
            if (digit >= radix)
                return null;
            number = (number * radix) + digit;
        }
        return negative ? -number : number;
    }

    /// <summary>float(text); null when it is no number.</summary>
    public static double? ParseFloat(string text)
    {
        var trimmed = text.Trim();
        var unsigned = trimmed.TrimStart('+', '-').ToLowerInvariant();
        if (trimmed.Length - unsigned.Length <= 1 && unsigned is "inf" or "infinity" or "nan")
            return unsigned == "nan" ? double.NaN : trimmed[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return double.TryParse(trimmed, Style, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    /// <summary>The significant digits and the power of ten of the first one.</summary>
    static (string Digits, int Exponent) Digits(string roundTrip)
    {
        var mark = roundTrip.IndexOf('E');
        var mantissa = mark < 0 ? roundTrip : roundTrip[..mark];
        var exponent = mark < 0 ? 0 : int.Parse(roundTrip.AsSpan(mark + 1), CultureInfo.InvariantCulture);
        var point = mantissa.IndexOf('.');
        var all = mantissa.Replace(".", "", StringComparison.Ordinal);
        var digits = all.TrimStart('0');
        if (digits.Length == 0)
            return ("0", 0);
        exponent += (point < 0 ? mantissa.Length : point) - 1 - (all.Length - digits.Length);
        return (digits.TrimEnd('0') is { Length: > 0 } significant ? significant : "0", exponent);
    }
}
