using System.Text.Json;

namespace Hearth.Text.Templates;

/// <summary>How tojson writes: the arguments of Python's json.dumps.</summary>
sealed record JsonStyle(string? Indent, string ItemSeparator, string KeySeparator, bool SortKeys, bool AsciiOnly);

/// <summary>JSON into values and values into JSON, as Python's json module does it.</summary>
static class Json
{
    /// <summary>Values of a JSON document; every string is user data.</summary>
    /// <exception cref="EvaluationError">Nested too deep, a number too long, or text that is no Unicode.</exception>
    public static Value Read(JsonElement element, int depth = 0) => element.ValueKind switch
    {
        _ when depth > TemplateLimits.ValueDepth =>
            throw EvaluationError.Limit($"JSON nested more than {TemplateLimits.ValueDepth} deep"),
        JsonValueKind.Object => ReadObject(element, depth + 1),
        JsonValueKind.Array => SequenceValue.List([.. element.EnumerateArray().Select(e => Read(e, depth + 1))]),
        JsonValueKind.String => StrValue.Data(ReadText(element)),
        JsonValueKind.Number => ReadNumber(element.GetRawText()),
        JsonValueKind.True => BoolValue.True,
        JsonValueKind.False => BoolValue.False,
        _ => NoneValue.Instance,
    };

    public static StrValue Write(Run run, Value value, JsonStyle style)
    {
        var writer = new DataWriter(run);
        Write(writer, value, style, 0);
        return writer.ToStr();
    }

    static DictValue ReadObject(JsonElement element, int depth)
    {
        var dict = new DictValue();
        foreach (var property in element.EnumerateObject())
            dict.Entries[StrValue.Data(property.Name)] = Read(property.Value, depth);
        return dict;
    }

    static string ReadText(JsonElement element)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw EvaluationError.Runtime("JSON text with half a surrogate pair, which is no Unicode");
        }
    }

    static Value ReadNumber(string raw) => raw.AsSpan().ContainsAny('.', 'e', 'E')
        ? new FloatValue(Numbers.ParseFloat(raw)!.Value)
        : IntValue.Of(Numbers.ParseInt(raw, 10) ?? throw EvaluationError.Limit("a number of too many digits"));

    static void Write(DataWriter writer, Value value, JsonStyle style, int depth)
    {
        writer.Run.CheckDepth(depth);
        switch (value)
        {
            case StrValue text:
                Quote(writer, text, style);
                break;
            case NoneValue:
                writer.Write("null");
                break;
            case BoolValue:
                writer.Write(value.IsTrue ? "true" : "false");
                break;
            case FloatValue { Number: var number } when !double.IsFinite(number):
                writer.Write(double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
                break;
            case IntValue or FloatValue:
                writer.Write(Printer.Scalar(value));
                break;
            case SequenceValue { Kind: SequenceKind.List or SequenceKind.Tuple } sequence:
                WriteArray(writer, sequence, style, depth);
                break;
            case DictValue dict:
                WriteObject(writer, dict, style, depth);
                break;
            default:
                throw EvaluationError.Runtime($"Object of type {value.TypeName} is not JSON serializable");
        }
    }

    static void WriteArray(DataWriter writer, SequenceValue sequence, JsonStyle style, int depth)
    {
        writer.Write('[');
        for (var i = 0; i < sequence.Values.Length; i++)
        {
            NewItem(writer, style, depth + 1, isFirst: i == 0);
            Write(writer, sequence.Values[i], style, depth + 1);
        }
        Close(writer, style, depth, isEmpty: sequence.Values.Length == 0);
        writer.Write(']');
    }

    static void WriteObject(DataWriter writer, DictValue dict, JsonStyle style, int depth)
    {
        var entries = style.SortKeys
            ? dict.Entries.Order(Comparer<KeyValuePair<Value, Value>>.Create((a, b) =>
                Operators.Compare(writer.Run, "<", a.Key, b.Key) ?? 0))
            : dict.Entries.AsEnumerable();
        writer.Write('{');
        var isFirst = true;
        foreach (var (key, value) in entries)
        {
            NewItem(writer, style, depth + 1, isFirst);
            isFirst = false;
            Quote(writer, key as StrValue ?? StrValue.Template(KeyText(key)), style);
            writer.Write(style.KeySeparator);
            Write(writer, value, style, depth + 1);
        }
        Close(writer, style, depth, isFirst);
        writer.Write('}');
    }

    static string KeyText(Value key) => key switch
    {
        NoneValue => "null",
        BoolValue => key.IsTrue ? "true" : "false",
        _ => Printer.Scalar(key),
    };

    static void NewItem(DataWriter writer, JsonStyle style, int depth, bool isFirst)
    {
        writer.Write(isFirst ? "" : style.ItemSeparator);
        Break(writer, style, depth);
    }

    static void Close(DataWriter writer, JsonStyle style, int depth, bool isEmpty)
    {
        if (!isEmpty)
            Break(writer, style, depth);
    }

    static void Break(DataWriter writer, JsonStyle style, int depth)
    {
        if (style.Indent is null)
            return;
        writer.Write('\n');
        for (var i = 0; i < depth; i++)
            writer.Write(style.Indent);
    }

    static void Quote(DataWriter writer, StrValue value, JsonStyle style)
    {
        writer.See(value);
        writer.Write('"');
        var text = value.Text.AsSpan();
        while (!text.IsEmpty)
        {
            var plain = 0;
            while (plain < text.Length && text[plain] is >= ' ' and not ('"' or '\\') && !(style.AsciiOnly && text[plain] > '~'))
                plain++;
            writer.Write(text[..plain]);
            if (plain < text.Length)
                writer.Write(Escape(text[plain++]));
            text = text[plain..];
        }
        writer.Write('"');
    }

    static string Escape(char c) => c switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\b' => "\\b",
        '\f' => "\\f",
        _ => $"\\u{(int)c:x4}",
    };
}
