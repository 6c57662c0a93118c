using System.Globalization;

namespace Hearth.Text.Templates;

/// <summary>strftime of the C locale, over the time of the rendering.</summary>
static class Strftime
{
    public static StrValue Format(Run run, StrValue format)
    {
        var result = new StrBuilder(run);
        var text = format.Text;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '%' || i + 1 == text.Length)
            {
                result.Append(format, i, i + 1);
                continue;
            }
            var at = i++;
            var skipsZero = text[i] == '-' && i + 1 < text.Length;
            var field = Field(run.Now, text[skipsZero ? ++i : i]);
            if (field is null)
                result.Append(format, at, i + 1);
            else
                result.Append(skipsZero ? WithoutZeros(field) : field, format.IsTemplateAt(at));
        }
        return result.ToStr();
    }

    static string WithoutZeros(string field) => field.TrimStart('0') is { Length: > 0 } rest ? rest : "0";

    static string? Field(DateTimeOffset now, char directive) => directive switch
    {
        'Y' => Text(now, "yyyy"),
        'y' => Text(now, "yy"),
        'm' => Text(now, "MM"),
        'd' => Text(now, "dd"),
        'e' => now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'B' => Text(now, "MMMM"),
        'b' or 'h' => Text(now, "MMM"),
        'A' => Text(now, "dddd"),
        'a' => Text(now, "ddd"),
        'H' => Text(now, "HH"),
        'I' => Text(now, "hh"),
        'M' => Text(now, "mm"),
        'S' => Text(now, "ss"),
        'p' => Text(now, "tt"),
        'f' => Text(now, "ffffff"),
        'F' => Text(now, "yyyy-MM-dd"),
        'T' or 'X' => Text(now, "HH:mm:ss"),
        'R' => Text(now, "HH:mm"),
        'D' or 'x' => Text(now, "MM'/'dd'/'yy"),
        'c' => $"{Text(now, "ddd MMM ")}{now.Day,2}{Text(now, " HH:mm:ss yyyy")}",
        'j' => $"{now.DayOfYear:000}",
        'u' => now.DayOfWeek == DayOfWeek.Sunday ? "7" : $"{(int)now.DayOfWeek}",
        'w' => $"{(int)now.DayOfWeek}",
        'U' => $"{(now.DayOfYear + 6 - (int)now.DayOfWeek) / 7:00}",
        'W' => $"{(now.DayOfYear + 6 - (((int)now.DayOfWeek + 6) % 7)) / 7:00}",
        'V' => $"{ISOWeek.GetWeekOfYear(now.DateTime):00}",
        'G' => $"{ISOWeek.GetYear(now.DateTime):0000}",
        's' => now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'z' or 'Z' => "",
        'n' => "\n",
        't' => "\t",
        '%' => "%",
        _ => null,
    };

    static string Text(DateTimeOffset now, string format) => now.ToString(format, CultureInfo.InvariantCulture);
}
