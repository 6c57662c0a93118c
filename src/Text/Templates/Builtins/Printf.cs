using System.Globalization;
using System.Numerics;

namespace Hearth.Text.Templates;

/// <summary>How one value is laid out: the flags, width and precision of a conversion.</summary>
readonly record struct NumberLayout(char Conversion, string Flags, int Width, int Precision)
{
    public bool Has(char flag) => Flags.Contains(flag);
}

/// <summary>Python's % formatting. The format's text and every argument keep their own kind.</summary>
static class Printf
{
    public static StrValue Format(Run run, StrValue format, Value arguments)
    {
        var result = new StrBuilder(run);
        var reader = new ArgumentReader(arguments);
        var text = format.Text;
        var at = 0;
        while (text.IndexOf('%', at) is var percent and >= 0)
        {
            result.Append(format, at, percent);
            at = percent + 1;
            if (at < text.Length && text[at] == '(')
                reader.Key = ReadKey(text, ref at);
            var layout = ReadLayout(text, ref at, reader);
            if (layout.Conversion == '%')
                result.Append("%", format.IsTemplateAt(percent));
            else
                result.Append(Convert(run, layout, reader.Next(run)));
        }
        result.Append(format, at, text.Length);
        reader.CheckAllUsed();
        return result.ToStr();
    }

    static string ReadKey(string text, ref int at)
    {
        var close = text.IndexOf(')', at);
        if (close < 0)
            throw EvaluationError.Runtime("incomplete format key");
        var key = text[(at + 1)..close];
        at = close + 1;
        return key;
    }

    static NumberLayout ReadLayout(string text, ref int at, ArgumentReader reader)
    {
        var start = at;
        while (at < text.Length && "#0- +".Contains(text[at]))
            at++;
        var flags = text[start..at];
        var width = ReadNumber(text, ref at, reader);
        if (width < 0)
            flags += "-";
        var precision = -1;
        if (at < text.Length && text[at] == '.')
        {
            at++;
            precision = ReadNumber(text, ref at, reader);
        }
        while (at < text.Length && text[at] is 'l' or 'h' or 'L')
            at++;
        if (at >= text.Length)
            throw EvaluationError.Runtime("incomplete format");
        return new NumberLayout(text[at++], flags, Math.Abs(width), precision);
    }

    static int ReadNumber(string text, ref int at, ArgumentReader reader)
    {
        if (at < text.Length && text[at] == '*')
        {
            at++;
            return reader.NextInt();
        }
        var start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
            at++;
        if (at - start > 6)
            throw EvaluationError.Limit("a format width of more than 6 digits");
        return at == start ? 0 : int.Parse(text.AsSpan(start, at - start), CultureInfo.InvariantCulture);
    }

    static StrValue Convert(Run run, NumberLayout layout, Value value)
    {
        StrValue text;
        switch (layout.Conversion)
        {
            case 's' or 'r' or 'a':
                text = layout.Conversion == 's' ? Printer.Str(run, value) : Printer.Repr(run, value);
                if (layout.Precision >= 0)
                    text = text.Part(0, text.Offset(layout.Precision));
                break;
            case 'c' when value is StrValue { CodePoints: 1 } character:
                text = character;
                break;
            case 'c' when Operators.IsInt(value, out var code) && code >= 0 && code < 0x110000 && Rune(code) is { } rune:
                text = StrValue.Template(rune);
                break;
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o' or 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                run.Spend(TemplateLimits.NumberLayoutFuel);
                return StrValue.Template(FormatNumber(layout, value));
            default:
                throw EvaluationError.Runtime($"unsupported format character '{layout.Conversion}'");
        }
        return Strings.Pad(run, text, layout.Width, missing => layout.Has('-') ? 0 : missing);
    }

    static string? Rune(BigInteger code) =>
        System.Text.Rune.IsValid((int)code) ? new System.Text.Rune((int)code).ToString() : null;

    /// <summary>A number as %d, %x, %f and their kin lay it out.</summary>
    public static string FormatNumber(NumberLayout layout, Value value)
    {
        if (!Operators.IsNumber(value))
            throw EvaluationError.Runtime($"%{layout.Conversion} format: a real number is required, not {value.TypeName}");
        var digits = layout.Conversion is 'd' or 'i' or 'u' or 'x' or 'X' or 'o'
            ? Integer(layout, value)
            : Float(layout, Operators.ToDouble(value));
        var sign = digits[0] == '-' ? "-" : layout.Has('+') ? "+" : layout.Has(' ') ? " " : "";
        digits = digits.TrimStart('-');
        if (layout.Has('-'))
            return (sign + digits).PadRight(layout.Width);
        return layout.Has('0') && char.IsAsciiLetterOrDigit(digits[0])
            ? sign + digits.PadLeft(Math.Max(0, layout.Width - sign.Length), '0')
            : (sign + digits).PadLeft(layout.Width);
    }

    static string Integer(NumberLayout layout, Value value)
    {
        if (!Operators.IsInt(value, out var number))
        {
            if (layout.Conversion is 'x' or 'X' or 'o' || !double.IsFinite(Operators.ToDouble(value)))
                throw EvaluationError.Runtime($"%{layout.Conversion} format: an integer is required, not {value.TypeName}");
            number = new BigInteger(Operators.ToDouble(value));
        }
        var radix = layout.Conversion switch { 'x' or 'X' => 16, 'o' => 8, _ => 10 };
        var digits = ToRadix(BigInteger.Abs(number), radix);
        if (layout.Conversion == 'X')
            digits = digits.ToUpperInvariant();
        if (layout.Has('#') && radix != 10)
            digits = (radix == 16 ? $"0{layout.Conversion}" : "0o") + digits;
        return (number < 0 ? "-" : "") + digits.PadLeft(Math.Clamp(layout.Precision, 0, TemplateLimits.Precision), '0');
    }

    public static string ToRadix(BigInteger number, int radix)
    {
        if (radix == 10)
            return number.ToString(CultureInfo.InvariantCulture);
        var digits = "";
        for (; number > 0; number /= radix)
            digits = "0123456789abcdef"[(int)(number % radix)] + digits;
        return digits.Length == 0 ? "0" : digits;
    }

    static string Float(NumberLayout layout, double value)
    {
        var isUpper = char.IsAsciiLetterUpper(layout.Conversion);
        var precision = layout.Precision < 0 ? 6 : layout.Precision;
        if (precision > TemplateLimits.Precision)
            throw EvaluationError.Limit($"a precision of more than {TemplateLimits.Precision} digits");
        if (!double.IsFinite(value))
            return isUpper ? Numbers.Repr(value).ToUpperInvariant() : Numbers.Repr(value);
        var text = (layout.Conversion | 0x20) switch
        {
            'f' => Numbers.Fixed(value, precision),
            'e' => Exponent(value, precision),
            _ => General(value, Math.Max(1, precision), layout.Has('#')),
        };
        return isUpper ? text.ToUpperInvariant() : text;
    }

    static string Exponent(double value, int precision)
    {
        var text = value.ToString($"e{precision}", CultureInfo.InvariantCulture);
        var mark = text.IndexOf('e');
        return $"{text[..(mark + 2)]}{int.Parse(text.AsSpan(mark + 2), CultureInfo.InvariantCulture):00}";
    }

    static string General(double value, int precision, bool keepZeros)
    {
        var scientific = Exponent(value, precision - 1);
        var mark = scientific.IndexOf('e');
        var exponent = int.Parse(scientific.AsSpan(mark + 1), CultureInfo.InvariantCulture);
        var isScientific = exponent < -4 || exponent >= precision;
        var mantissa = isScientific ? scientific[..mark] : Numbers.Fixed(value, precision - 1 - exponent);
        if (!keepZeros && mantissa.Contains('.'))
            mantissa = mantissa.TrimEnd('0').TrimEnd('.');
        return isScientific ? mantissa + scientific[mark..] : mantissa;
    }

    /// <summary>Gives out the arguments of a format in turn, or by key from a dict.</summary>
    sealed class ArgumentReader(Value arguments)
    {
        readonly Value[] _row = arguments is SequenceValue { Kind: SequenceKind.Tuple } tuple ? tuple.Values : [arguments];
        int _next;
        bool _usedKeys;

        public string? Key { get; set; }

        public Value Next(Run run)
        {
            if (Key is { } key)
            {
                _usedKeys = true;
                Key = null;
                return (arguments as DictValue)?.Element(run, StrValue.Template(key))
                    ?? throw EvaluationError.Runtime($"format requires a mapping with the key '{key}'");
            }
            return _next < _row.Length ? _row[_next++] : throw EvaluationError.Runtime("not enough arguments for format string");
        }

        public int NextInt()
        {
            if (_next >= _row.Length || !Operators.IsInt(_row[_next++], out var number))
                throw EvaluationError.Runtime("* wants int");
            return BigInteger.Abs(number) < 1_000_000
                ? (int)number
                : throw EvaluationError.Limit("a format width of more than 6 digits");
        }

        public void CheckAllUsed()
        {
            var isMapping = arguments is DictValue or SequenceValue { Kind: not SequenceKind.Tuple };
            if (!_usedKeys && !isMapping && _next < _row.Length)
                throw EvaluationError.Runtime("not all arguments converted during string formatting");
        }
    }
}
