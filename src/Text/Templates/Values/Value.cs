using System.Numerics;

namespace Hearth.Text.Templates;

/// <summary>A value of the language: a closed set of our own types, so that nothing of the host can be reached.</summary>
abstract class Value
{
    /// <summary>Python's name of the type, for error messages.</summary>
    public abstract string TypeName { get; }

    public virtual bool IsTrue => true;

    /// <summary>What len() gives; null when the type has no length.</summary>
    public virtual int? Length => null;

    /// <summary>What iteration gives; null when the type cannot be iterated.</summary>
    public virtual Value[]? Iterate(Run run) => null;

    /// <summary>A Python attribute (mostly a bound method); null when there is none.</summary>
    public virtual Value? Attribute(Run run, string name) => null;

    /// <summary>value[key]; null when Python would raise a LookupError or TypeError.</summary>
    public virtual Value? Element(Run run, Value key) => null;

    public virtual Value Call(Run run, Arguments arguments) =>
        throw EvaluationError.Runtime($"'{TypeName}' object is not callable");

    public Value[] Elements(Run run) =>
        Iterate(run) ?? throw EvaluationError.Runtime($"'{TypeName}' object is not iterable");
}

sealed class NoneValue : Value
{
    public static readonly NoneValue Instance = new();

    public override string TypeName => "NoneType";

    public override bool IsTrue => false;
}

sealed class BoolValue : Value
{
    public static readonly BoolValue True = new();
    public static readonly BoolValue False = new();

    public override string TypeName => "bool";

    public override bool IsTrue => this == True;

    public static BoolValue Of(bool value) => value ? True : False;
}

sealed class IntValue(BigInteger number) : Value
{
    static readonly IntValue[] s_small = [.. Enumerable.Range(0, 256).Select(n => new IntValue(n))];

    public BigInteger Number { get; } = number;

    public override string TypeName => "int";

    public override bool IsTrue => !Number.IsZero;

    public static IntValue Of(int value) => value is >= 0 and < 256 ? s_small[value] : new IntValue(value);

    /// <exception cref="EvaluationError">The number has more bits than the limit.</exception>
    public static IntValue Of(BigInteger value) =>
        value.GetBitLength() <= TemplateLimits.IntegerBits
            ? new IntValue(value)
            : throw EvaluationError.Limit($"an integer of more than {TemplateLimits.IntegerBits} bits");
}

sealed class FloatValue(double number) : Value
{
    public double Number { get; } = number;

    public override string TypeName => "float";

    public override bool IsTrue => Number != 0;

    public override Value? Attribute(Run run, string name) => name == "is_integer"
        ? new FunctionValue(name, "float", (_, _) => BoolValue.Of(Math.Floor(Number) == Number && double.IsFinite(Number)))
        : null;
}

/// <summary>A value that is missing: prints as nothing, is false and empty, and fails when it is used for more.</summary>
sealed class UndefinedValue(string message) : Value
{
    public override string TypeName => "Undefined";

    public override bool IsTrue => false;

    public override int? Length => 0;

    public override Value[] Iterate(Run run) => [];

    public override Value Call(Run run, Arguments arguments) => throw Failure();

    public EvaluationError Failure() => EvaluationError.Runtime(message);

    public static UndefinedValue Name(string name) => new($"'{name}' is undefined");

    public static UndefinedValue Unsafe(Value owner, string attribute) =>
        new($"access to attribute '{attribute}' of '{owner.TypeName}' object is unsafe.");

    public static UndefinedValue Missing(Run run, Value owner, Value key)
    {
        var type = owner is NoneValue ? "None" : $"{owner.TypeName} object";
        return key is StrValue name
            ? new UndefinedValue($"'{type}' has no attribute {Printer.Repr(run, name).Text}")
            : new UndefinedValue($"{type} has no element {Printer.Repr(run, key).Text}");
    }
}
