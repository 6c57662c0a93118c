using System.Globalization;

namespace Hearth.Text.Templates;

/// <summary>str.format: {}, {0}, {name}, members of them, !r and !s, and the common part of the format specification.</summary>
static class StrFormat
{
    public static StrValue Format(Run run, StrValue format, Arguments arguments)
    {
        var result = new StrBuilder(run);
        var text = format.Text;
        var automatic = 0;
        for (var at = 0; at < text.Length;)
        {
            var brace = text.AsSpan(at).IndexOfAny('{', '}');
            if (brace < 0)
            {
                result.Append(format, at, text.Length);
                break;
            }
            result.Append(format, at, at + brace);
            at += brace;
            if (at + 1 < text.Length && text[at + 1] == text[at])
            {
                result.Append(format, at, at + 1);
                at += 2;
                continue;
            }
            var close = text[at] == '{' ? text.IndexOf('}', at) : -1;
            if (close < 0)
                throw EvaluationError.Runtime($"Single '{text[at]}' encountered in format string");
            result.Append(Field(run, text[(at + 1)..close], arguments, ref automatic));
            at = close + 1;
        }
        return result.ToStr();
    }

    static StrValue Field(Run run, string field, Arguments arguments, ref int automatic)
    {
        if (field.Contains('{'))
            throw EvaluationError.Runtime("fields inside a format specification are not supported");
        var colon = field.IndexOf(':');
        var specification = colon < 0 ? "" : field[(colon + 1)..];
        var name = colon < 0 ? field : field[..colon];
        var conversion = name.IndexOf('!') is var mark and >= 0 ? name[(mark + 1)..] : "";
        name = name.Split('!')[0];
        var value = Resolve(run, name, arguments, ref automatic);
        value = conversion switch
        {
            "" => value,
            "s" => Printer.Str(run, value),
            "r" or "a" => Printer.Repr(run, value),
            _ => throw EvaluationError.Runtime($"Unknown conversion specifier {conversion}"),
        };
        return Layout(run, value, specification);
    }

    static Value Resolve(Run run, string name, Arguments arguments, ref int automatic)
    {
        var end = name.AsSpan().IndexOfAny('.', '[');
        var first = end < 0 ? name : name[..end];
        if (first.Length == 0)
            first = automatic++.ToString(CultureInfo.InvariantCulture);
        var value = int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? arguments.Positional.ElementAtOrDefault(index)
                ?? throw EvaluationError.Runtime("Replacement index out of range for positional args tuple")
            : arguments.Named.FirstOrDefault(n => n.Key.Text == first).Value
                ?? throw EvaluationError.Runtime($"'{first}'");
        for (var rest = end < 0 ? "" : name[end..]; rest.Length > 0;)
        {
            var isMember = rest[0] == '.';
            var stop = isMember ? rest.AsSpan(1).IndexOfAny('.', '[') + 1 : rest.IndexOf(']');
            if (isMember && stop == 0)
                stop = rest.Length;
            if (stop < 1)
                throw EvaluationError.Runtime("Missing ']' in format string");
            var key = rest[1..stop];
            rest = rest[(isMember ? stop : stop + 1)..];
            value = isMember ? Members.Attribute(run, value, StrValue.Template(key)) : Members.Element(run, value, Key(key));
        }
        return value;
    }

    static Value Key(string key) => int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
        ? IntValue.Of(index)
        : StrValue.Template(key);

    /// <summary>[[fill]align][sign][#][0][width][,][.precision][type]</summary>
    static StrValue Layout(Run run, Value value, string specification)
    {
        if (specification.Length == 0)
            return Printer.Str(run, value);
        run.Spend(TemplateLimits.NumberLayoutFuel);
        if (value is not StrValue && !Operators.IsNumber(value))
            throw EvaluationError.Runtime($"unsupported format string passed to {value.TypeName}.__format__");
        if (value is BoolValue)
            value = IntValue.Of(value.IsTrue ? 1 : 0);
        var at = 0;
        var (fill, align) = (" ", Operators.IsNumber(value) ? '>' : '<');
        if (specification.Length > 1 && "<>^=".Contains(specification[1]))
            (fill, align, at) = (specification[..1], specification[1], 2);
        else if ("<>^=".Contains(specification[0]))
            (align, at) = (specification[0], 1);
        var flags = Take(specification, ref at, "+- #0");
        if (flags.Contains('0') && at > 0 && fill == " " && !"<>^".Contains(align == '>' ? '=' : align))
            (fill, align) = ("0", value is StrValue ? '<' : '=');
        var width = Number(Take(specification, ref at, "0123456789"), 0);
        var hasCommas = Take(specification, ref at, ",").Length > 0;
        var hasPoint = Take(specification, ref at, ".").Length > 0;
        var precision = hasPoint ? Number(Take(specification, ref at, "0123456789"), 0) : -1;
        var type = at < specification.Length ? specification[at] : '\0';
        CheckType(value, type, isPlain: flags.Trim('0').Length == 0 && !hasCommas && align != '=', hasPoint);
        var text = Text(run, value, type, flags, precision);
        if (hasCommas)
            text = StrValue.Template(Group(text.Text));
        if (align == '=')
        {
            var signs = text.Text.Length > 0 && text.Text[0] is '+' or '-' ? 1 : 0;
            var padding = Math.Max(0, width - text.CodePoints);
            return new StrBuilder(run).Append(text, 0, signs).Append(StrValue.Template(fill), padding)
                .Append(text, signs, text.Text.Length).ToStr();
        }
        Func<int, int> share = align switch { '<' => _ => 0, '>' => missing => missing, _ => missing => missing / 2 };
        return Strings.Pad(run, text, width, share, StrValue.Template(fill));
    }

    static void CheckType(Value value, char type, bool isPlain, bool hasPrecision)
    {
        if (hasPrecision && value is IntValue && "\0nbdoxX".Contains(type))
            throw EvaluationError.Runtime("Precision not allowed in integer format specifier");
        var types = value switch { StrValue => "\0s", IntValue => "\0nbdoxXeEfFgG%", _ => "\0neEfFgG%" };
        if (!types.Contains(type))
            throw EvaluationError.Runtime($"Unknown format code '{type}' for object of type '{value.TypeName}'");
        if (value is StrValue && !isPlain)
            throw EvaluationError.Runtime("sign, '=' and ',' are not allowed in a string format specification");
    }

    static StrValue Text(Run run, Value value, char type, string flags, int precision)
    {
        if (!Operators.IsNumber(value) || type == 's')
        {
            var text = Printer.Str(run, value);
            return precision >= 0 ? text.Part(0, text.Offset(precision)) : text;
        }
        var sign = new string([.. flags.Where(c => c is '+' or ' ' or '#')]);
        if (type == '%')
        {
            var percent = new FloatValue(Operators.ToDouble(value) * 100);
            return StrValue.Template(Printf.FormatNumber(new NumberLayout('f', sign, 0, precision), percent) + "%");
        }
        if (type == 'b' && Operators.IsInt(value, out var number))
            return StrValue.Template((number < 0 ? "-" : "") + Printf.ToRadix(System.Numerics.BigInteger.Abs(number), 2));
        var isPlain = type is '\0' or 'n';
        if (isPlain && precision < 0)
        {
            var plus = sign.Contains('+') && Operators.ToDouble(value) >= 0 ? "+" : "";
            return StrValue.Template(plus + Printer.Scalar(value));
        }
        return StrValue.Template(Printf.FormatNumber(new NumberLayout(isPlain ? 'g' : type, sign, 0, precision), value));
    }

    static string Take(string text, ref int at, string accepted)
    {
        var start = at;
        while (at < text.Length && accepted.Contains(text[at]))
            at++;
        return text[start..at];
    }

    static int Number(string digits, int otherwise)
    {
        if (digits.Length > 6)
            throw EvaluationError.Limit("a format width of more than 6 digits");
        return digits.Length == 0 ? otherwise : int.Parse(digits, CultureInfo.InvariantCulture);
    }

    static string Group(string digits)
    {
        var start = digits.TakeWhile(c => !char.IsAsciiDigit(c)).Count();
        var end = digits.IndexOf('.') is var point and >= 0 ? point : digits.Length;
        for (var at = end - 3; at > start; at -= 3)
            digits = digits.Insert(at, ",");
        return digits;
    }
}
