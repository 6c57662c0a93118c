using System.Numerics;

namespace Hearth.Text.Templates;

/// <summary>Filters over numbers, and those that look at any single value.</summary>
static class ScalarFilters
{
    public static readonly BuiltinTable Table = new()
    {
        { "default", "value default_value? boolean?", Default },
        { "d", "value default_value? boolean?", Default },
        { "abs", "value", Absolute },
        { "int", "value default? base?", ToInt },
        { "float", "value default?", (_, c) => ToFloat(c[0]) ?? c.Optional(1) ?? new FloatValue(0) },
        { "round", "value precision? method?", Round },
        { "length", "value", Length },
        { "count", "value", Length },
        { "attr", "value name", (run, c) => Attribute(run, c[0], c.Text(1)) },
        { "filesizeformat", "value binary?", FileSize },
    };

    static Value Default(Run run, Call call) => call[0] is UndefinedValue || (call.IsTrue(2) && !call[0].IsTrue)
        ? call.Optional(1) ?? StrValue.Empty
        : call[0];

    static Value Absolute(Run run, Call call)
    {
        if (Operators.IsInt(call[0], out var number))
            return IntValue.Of(BigInteger.Abs(number));
        return call[0] switch
        {
            FloatValue value => new FloatValue(Math.Abs(value.Number)),
            UndefinedValue undefined => throw undefined.Failure(),
            _ => throw EvaluationError.Runtime($"bad operand type for abs(): '{call[0].TypeName}'"),
        };
    }

    static Value ToInt(Run run, Call call)
    {
        if (Operators.IsInt(call[0], out var number))
            return IntValue.Of(number);
        if (call[0] is UndefinedValue undefined)
            throw undefined.Failure();
        if (call[0] is StrValue text && Numbers.ParseInt(text.Text, call.Int(2, 10)) is { } parsed)
            return IntValue.Of(parsed);
        return ToFloat(call[0]) is { Number: var real } && double.IsFinite(real)
            ? IntValue.Of(new BigInteger(real))
            : call.Optional(1) ?? IntValue.Of(0);
    }

    static FloatValue? ToFloat(Value value) => value switch
    {
        UndefinedValue undefined => throw undefined.Failure(),
        StrValue text => Numbers.ParseFloat(text.Text) is double number ? new FloatValue(number) : null,
        _ => Operators.IsNumber(value) ? new FloatValue(Operators.ToDouble(value)) : null,
    };

    static Value Round(Run run, Call call)
    {
        if (call[0] is UndefinedValue undefined)
            throw undefined.Failure();
        if (!Operators.IsNumber(call[0]))
            throw EvaluationError.Runtime($"type {call[0].TypeName} doesn't define __round__ method");
        run.Spend(TemplateLimits.NumberLayoutFuel);
        var precision = Math.Clamp(call.Int(1), -TemplateLimits.Precision, TemplateLimits.Precision);
        var method = call.Soft(run, 2, "common").Text;
        var value = Operators.ToDouble(call[0]);
        var scale = Math.Pow(10, precision);
        switch (method)
        {
            case "ceil":
                return new FloatValue(Math.Ceiling(value * scale) / scale);
            case "floor":
                return new FloatValue(Math.Floor(value * scale) / scale);
            case "common" when precision >= 0 && Operators.IsInt(call[0], out var number):
                return IntValue.Of(number);
            case "common" when precision >= 0 && double.IsFinite(value):
                return new FloatValue(Numbers.ParseFloat(Numbers.Fixed(value, precision))!.Value);
            case "common":
                return new FloatValue(Math.Round(value * scale, MidpointRounding.ToEven) / scale);
            default:
                throw EvaluationError.Runtime("method must be common, ceil or floor");
        }
    }

    static IntValue Length(Run run, Call call) => call[0].Length is int length
        ? IntValue.Of(length)
        : throw EvaluationError.Runtime($"object of type '{call[0].TypeName}' has no len()");

    static Value Attribute(Run run, Value owner, StrValue name)
    {
        if (owner is UndefinedValue undefined)
            throw undefined.Failure();
        var isInternal = name.Text.StartsWith('_');
        return (isInternal ? UndefinedValue.Unsafe(owner, name.Text) : owner.Attribute(run, name.Text))
            ?? UndefinedValue.Missing(run, owner, name);
    }

    static StrValue FileSize(Run run, Call call)
    {
        var size = ToFloat(call[0])?.Number ?? throw EvaluationError.Runtime("filesizeformat expects a number");
        var unit = call.IsTrue(1) ? 1024.0 : 1000.0;
        if (size == 1)
            return StrValue.Template("1 Byte");
        if (size < unit)
            return StrValue.Template($"{(long)size} Bytes");
        var exponent = Math.Min(8, Math.Max(1, (int)Math.Floor(Math.Log(size, unit) + 1e-12)));
        var prefix = call.IsTrue(1) ? $"{"KMGTPEZY"[exponent - 1]}iB" : $"{"kMGTPEZY"[exponent - 1]}B";
        return StrValue.Template($"{Numbers.Fixed(size / Math.Pow(unit, exponent), 1)} {prefix}");
    }
}
