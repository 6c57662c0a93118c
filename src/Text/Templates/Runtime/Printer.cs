using System.Globalization;

namespace Hearth.Text.Templates;

/// <summary>
/// Python's str() and repr(). Where a container holds user data, its whole text is user data: brackets and quotes
/// around what a user wrote must not help it to become a control token.
/// </summary>
static class Printer
{
    public static StrValue Str(Run run, Value value) => value switch
    {
        StrValue text => text,
        UndefinedValue => StrValue.Empty,
        _ => Repr(run, value),
    };

    public static StrValue Repr(Run run, Value value)
    {
        if (value is not (StrValue or SequenceValue or DictValue or NamespaceValue))
            return StrValue.Template(Scalar(value));
        var writer = new DataWriter(run);
        Write(writer, value, 0);
        return writer.ToStr();
    }

    /// <summary>The text of anything that holds no other value.</summary>
    public static string Scalar(Value value) => value switch
    {
        NoneValue => "None",
        BoolValue => value.IsTrue ? "True" : "False",
        IntValue number => number.Number.ToString(CultureInfo.InvariantCulture),
        FloatValue number => Numbers.Repr(number.Number),
        UndefinedValue => "Undefined",
        FunctionValue function => function.Representation,
        MacroValue macro => $"<Macro '{macro.Name}'>",
        LoopValue loop => $"<LoopContext {loop.Index0 + 1}/{loop.Count}>",
        _ => $"<{value.TypeName}>",
    };

    static void Write(DataWriter writer, Value value, int depth)
    {
        writer.Run.CheckDepth(depth);
        switch (value)
        {
            case StrValue text:
                Quote(writer, text);
                break;
            case SequenceValue { Representation: { } fixedText }:
                writer.Write(fixedText);
                break;
            case SequenceValue { Kind: SequenceKind.Generator }:
                writer.Write("<generator object>");
                break;
            case SequenceValue sequence:
                Write(writer, sequence, depth);
                break;
            case DictValue dict:
                Write(writer, dict, depth);
                break;
            case NamespaceValue names:
                writer.Write("<Namespace ");
                Write(writer, names.Fields, depth + 1);
                writer.Write(">");
                break;
            default:
                writer.Write(Scalar(value));
                break;
        }
    }

    static void Write(DataWriter writer, SequenceValue sequence, int depth)
    {
        var isView = sequence.Kind is not (SequenceKind.List or SequenceKind.Tuple);
        var isTuple = sequence.Kind == SequenceKind.Tuple;
        writer.Write(isView ? $"{sequence.TypeName}([" : isTuple ? "(" : "[");
        for (var i = 0; i < sequence.Values.Length; i++)
        {
            writer.Write(i > 0 ? ", " : "");
            Write(writer, sequence.Values[i], depth + 1);
        }
        writer.Write(isView ? "])" : !isTuple ? "]" : sequence.Values.Length == 1 ? ",)" : ")");
    }

    static void Write(DataWriter writer, DictValue dict, int depth)
    {
        var separator = "{";
        foreach (var (key, value) in dict.Entries)
        {
            writer.Write(separator);
            Write(writer, key, depth + 1);
            writer.Write(": ");
            Write(writer, value, depth + 1);
            separator = ", ";
        }
        writer.Write(dict.Entries.Count == 0 ? "{}" : "}");
    }

    static void Quote(DataWriter writer, StrValue value)
    {
        var text = value.Text;
        writer.See(value);
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        writer.Write(quote);
        for (var i = 0; i < text.Length; i += StrValue.Width(text, i))
        {
            var c = text[i];
            if (c == quote || c == '\\')
                writer.Write('\\');
            var width = StrValue.Width(text, i);
            if (Characters.IsPrintable(text, i))
                writer.Write(text.AsSpan(i, width));
            else
                writer.Write(Escape(width == 2 ? char.ConvertToUtf32(c, text[i + 1]) : c));
        }
        writer.Write(quote);
    }

    static string Escape(int codePoint) => codePoint switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        < 0x100 => $"\\x{codePoint:x2}",
        < 0x10000 => $"\\u{codePoint:x4}",
        _ => $"\\U{codePoint:x8}",
    };
}
