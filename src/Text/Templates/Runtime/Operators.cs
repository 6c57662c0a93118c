using System.Numerics;

namespace Hearth.Text.Templates;

/// <summary>Python's arithmetic and comparison over the values of the language.</summary>
static class Operators
{
    public static Value Binary(Run run, string op, Value left, Value right)
    {
        if (left is UndefinedValue undefinedLeft)
            throw undefinedLeft.Failure();
        if (right is UndefinedValue undefinedRight && !(op == "%" && left is StrValue))
            throw undefinedRight.Failure();
        if (IsInt(left, out var a) && IsInt(right, out var b))
        {
            run.Spend((a.GetBitLength() + b.GetBitLength()) / 64);
            return Integers(op, a, b);
        }
        if (IsNumber(left) && IsNumber(right))
            return Floats(op, ToDouble(left), ToDouble(right));
        return (op, left, right) switch
        {
            ("+", StrValue x, StrValue y) => Concat(run, x, y),
            ("+", SequenceValue x, SequenceValue y) when x.Kind == y.Kind && x.Kind is SequenceKind.List or SequenceKind.Tuple =>
                Chain(run, x, y),
            ("+", StrValue or SequenceValue { Kind: SequenceKind.List or SequenceKind.Tuple }, _) =>
                throw EvaluationError.Runtime(
                    $"can only concatenate {left.TypeName} (not \"{right.TypeName}\") to {left.TypeName}"),
            ("*", StrValue or SequenceValue, _) when IsInt(right, out var times) => Repeat(run, left, times),
            ("*", _, StrValue or SequenceValue) when IsInt(left, out var times) => Repeat(run, right, times),
            ("%", StrValue format, _) => Printf.Format(run, format, right),
            _ => throw Unsupported(op == "**" ? "** or pow()" : op, left, right),
        };
    }

    public static Value Negate(Value value) => value switch
    {
        UndefinedValue undefined => throw undefined.Failure(),
        FloatValue number => new FloatValue(-number.Number),
        _ when IsInt(value, out var number) => IntValue.Of(-number),
        _ => throw EvaluationError.Runtime($"bad operand type for unary -: '{value.TypeName}'"),
    };

    public static Value Plus(Value value) => value switch
    {
        UndefinedValue undefined => throw undefined.Failure(),
        FloatValue => value,
        _ when IsInt(value, out var number) => IntValue.Of(number),
        _ => throw EvaluationError.Runtime($"bad operand type for unary +: '{value.TypeName}'"),
    };

    public static bool AreEqual(Run run, Value left, Value right, int depth = 0)
    {
        run.CheckDepth(depth);
        switch (left, right)
        {
            case (StrValue a, StrValue b):
                run.SpendText(a.Text.Length);
                return a.Text == b.Text;
            case (UndefinedValue, UndefinedValue):
                return true;
            case (SequenceValue a, SequenceValue b) when a.Kind == b.Kind && a.Kind != SequenceKind.Generator:
                if (a.Values.Length != b.Values.Length)
                    return false;
                for (var i = 0; i < a.Values.Length; i++)
                {
                    if (!AreEqual(run, a.Values[i], b.Values[i], depth + 1))
                        return false;
                }
                return true;
            case (DictValue a, DictValue b):
                return a.Entries.Count == b.Entries.Count && a.Entries.All(entry =>
                    b.Element(run, entry.Key) is { } other && AreEqual(run, entry.Value, other, depth + 1));
            default:
                return ReferenceEquals(left, right)
                    || (IsNumber(left) && IsNumber(right) && CompareNumbers(left, right) == 0);
        }
    }

    /// <summary>Order of two values: negative, zero, positive; null when a NaN is involved.</summary>
    public static int? Compare(Run run, string op, Value left, Value right, int depth = 0)
    {
        run.CheckDepth(depth);
        if (left is UndefinedValue undefined || (undefined = (right as UndefinedValue)!) is not null)
            throw undefined.Failure();
        if (IsNumber(left) && IsNumber(right))
            return CompareNumbers(left, right);
        if (left is StrValue a && right is StrValue b)
        {
            run.SpendText(Math.Min(a.Text.Length, b.Text.Length));
            return string.CompareOrdinal(a.Text, b.Text);
        }
        if (left is not SequenceValue x || right is not SequenceValue y || x.Kind != y.Kind
            || x.Kind is not (SequenceKind.List or SequenceKind.Tuple))
        {
            throw EvaluationError.Runtime(
                $"'{op}' not supported between instances of '{left.TypeName}' and '{right.TypeName}'");
        }
        for (var i = 0; i < Math.Min(x.Values.Length, y.Values.Length); i++)
        {
            if (!AreEqual(run, x.Values[i], y.Values[i], depth + 1))
                return Compare(run, op, x.Values[i], y.Values[i], depth + 1);
        }
        return x.Values.Length.CompareTo(y.Values.Length);
    }

    public static bool Test(Run run, string op, Value left, Value right) => op switch
    {
        "==" => AreEqual(run, left, right),
        "!=" => !AreEqual(run, left, right),
        "<" => Compare(run, op, left, right) < 0,
        "<=" => Compare(run, op, left, right) <= 0,
        ">" => Compare(run, op, left, right) > 0,
        ">=" => Compare(run, op, left, right) >= 0,
        "in" => Contains(run, right, left),
        _ => !Contains(run, right, left),
    };

    public static bool Contains(Run run, Value container, Value item)
    {
        if (container is DictValue dict)
        {
            var isNoKey = item is UndefinedValue or SequenceValue { Kind: SequenceKind.Tuple };
            return !isNoKey && dict.Element(run, item) is not null;
        }
        if (container is not StrValue text)
            return Any(run, container, item);
        if (item is not StrValue part)
            throw EvaluationError.Runtime($"'in <string>' requires string as left operand, not {item.TypeName}");
        run.SpendText(text.Text.Length);
        return text.Text.Contains(part.Text, StringComparison.Ordinal);
    }

    /// <summary>The position of a Python index, negative from the end; null when it is out of range.</summary>
    public static int? Position(BigInteger index, int length)
    {
        if (index < 0)
            index += length;
        return index >= 0 && index < length ? (int)index : null;
    }

    public static bool IsNumber(Value value) => value is IntValue or FloatValue or BoolValue;

    public static bool IsInt(Value value, out BigInteger number)
    {
        number = value switch { IntValue i => i.Number, BoolValue { IsTrue: true } => 1, _ => 0 };
        return value is IntValue or BoolValue;
    }

    public static double ToDouble(Value value) => value switch
    {
        FloatValue f => f.Number,
        IntValue i => (double)i.Number,
        _ => value.IsTrue ? 1 : 0,
    };

    /// <summary>Order of two numbers; null when one is NaN.</summary>
    public static int? CompareNumbers(Value left, Value right)
    {
        if (IsInt(left, out var a) && IsInt(right, out var b))
            return a.CompareTo(b);
        var (x, y) = (ToDouble(left), ToDouble(right));
        return double.IsNaN(x) || double.IsNaN(y) ? null : x.CompareTo(y);
    }

    static bool Any(Run run, Value container, Value item)
    {
        var elements = container.Iterate(run)
            ?? throw EvaluationError.Runtime($"argument of type '{container.TypeName}' is not iterable");
        foreach (var element in elements)
        {
            if (AreEqual(run, element, item))
                return true;
        }
        return false;
    }

    static Value Integers(string op, BigInteger a, BigInteger b)
    {
        switch (op)
        {
            case "+":
                return IntValue.Of(a + b);
            case "-":
                return IntValue.Of(a - b);
            case "*":
                return IntValue.Of(a * b);
            case "**" when b >= 0:
                if (b > TemplateLimits.IntegerBits && BigInteger.Abs(a) > 1)
                    throw EvaluationError.Limit($"an integer of more than {TemplateLimits.IntegerBits} bits");
                if (BigInteger.Abs(a) <= 1)
                    return IntValue.Of(b.IsZero || (a == -1 && b.IsEven) ? BigInteger.One : a);
                return (a.GetBitLength() - 1) * (long)b <= TemplateLimits.IntegerBits
                    ? IntValue.Of(BigInteger.Pow(a, (int)b))
                    : throw EvaluationError.Limit($"an integer of more than {TemplateLimits.IntegerBits} bits");
            case "//" when !b.IsZero:
                return IntValue.Of(FloorDivide(a, b));
            case "%" when !b.IsZero:
                return IntValue.Of(a - (FloorDivide(a, b) * b));
            case "//" or "%":
                throw EvaluationError.Runtime("integer division or modulo by zero");
            default:
                return Floats(op, (double)a, (double)b);
        }
    }

    static BigInteger FloorDivide(BigInteger a, BigInteger b)
    {
        var quotient = BigInteger.DivRem(a, b, out var remainder);
        return !remainder.IsZero && remainder.Sign != b.Sign ? quotient - 1 : quotient;
    }

    static FloatValue Floats(string op, double a, double b)
    {
        if (b == 0 && op is "/" or "//" or "%")
        {
            throw EvaluationError.Runtime(
                op switch { "/" => "division by zero", "%" => "float modulo", _ => "float floor division by zero" });
        }
        if (op == "**" && a == 0 && b < 0)
            throw EvaluationError.Runtime("0.0 cannot be raised to a negative power");
        var result = op switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            "//" => Math.Floor(a / b),
            "%" => a - (b * Math.Floor(a / b)),
            _ => Math.Pow(a, b),
        };
        if (op == "**" && double.IsFinite(a) && double.IsFinite(b) && !double.IsFinite(result))
            throw EvaluationError.Runtime("power out of range");
        return new FloatValue(result);
    }

    static StrValue Concat(Run run, StrValue left, StrValue right)
    {
        if (left.IsMarkup || right.IsMarkup)
            return new StrBuilder(run).Append(left.Escaped(run)).Append(right.Escaped(run)).ToStr().AsMarkup();
        if (left.Text.Length == 0)
            return right;
        return right.Text.Length == 0 ? left : new StrBuilder(run).Append(left).Append(right).ToStr();
    }

    static SequenceValue Chain(Run run, SequenceValue left, SequenceValue right)
    {
        run.Spend(left.Values.Length + right.Values.Length);
        return new SequenceValue(left.Kind, [.. left.Values, .. right.Values]);
    }

    static Value Repeat(Run run, Value value, BigInteger times)
    {
        var count = (int)BigInteger.Clamp(times, 0, int.MaxValue);
        if (value is StrValue text)
            return new StrBuilder(run).Append(text, text.Text.Length == 0 ? 0 : count).ToStr();
        var sequence = (SequenceValue)value;
        if (sequence.Kind is not (SequenceKind.List or SequenceKind.Tuple))
            throw Unsupported("*", value, IntValue.Of(times));
        run.Spend((long)sequence.Values.Length * count);
        return new SequenceValue(
            sequence.Kind, [.. Enumerable.Repeat(sequence.Values, sequence.Values.Length == 0 ? 0 : count).SelectMany(v => v)]);
    }

    static EvaluationError Unsupported(string op, Value left, Value right) =>
        EvaluationError.Runtime($"unsupported operand type(s) for {op}: '{left.TypeName}' and '{right.TypeName}'");
}
