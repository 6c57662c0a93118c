namespace Hearth.Text.Templates;

/// <summary>The arguments of a call. Names are strings of the language: with ** they may be user data.</summary>
sealed record Arguments(Value[] Positional, KeyValuePair<StrValue, Value>[] Named)
{
    public static readonly Arguments None = new([], []);

    public static Arguments Of(params Value[] positional) => new(positional, []);

    public Arguments Prepend(Value first) => this with { Positional = [first, .. Positional] };

    public Arguments Skip(int count) => this with { Positional = Positional[Math.Min(count, Positional.Length)..] };
}

/// <summary>A function of the environment or a method bound to its receiver.</summary>
sealed class FunctionValue(string name, string? owner, Func<Run, Arguments, Value> body) : Value
{
    public override string TypeName => owner is null ? "function" : "builtin_function_or_method";

    public string Representation => owner is null ? $"<function {name}>" : $"<built-in method {name} of {owner} object>";

    public override Value Call(Run run, Arguments arguments) => body(run, arguments);
}

/// <summary>namespace(): the one value whose attributes a template may set.</summary>
sealed class NamespaceValue : Value
{
    public DictValue Fields { get; } = new();

    public override string TypeName => "Namespace";

    public override Value? Attribute(Run run, string name) => Fields.Element(run, StrValue.Template(name));

    public override Value? Element(Run run, Value key) => Fields.Element(run, key);
}

/// <summary>cycler('a', 'b'): gives its values in turn.</summary>
sealed class CyclerValue(Value[] values) : Value
{
    int _position;

    public override string TypeName => "Cycler";

    public override Value? Attribute(Run run, string name) => name switch
    {
        "current" => values[_position],
        "next" => new FunctionValue(name, TypeName, (_, _) => Next()),
        "reset" => new FunctionValue(name, TypeName, (_, _) => Reset()),
        _ => null,
    };

    Value Next()
    {
        var current = values[_position];
        _position = (_position + 1) % values.Length;
        return current;
    }

    NoneValue Reset()
    {
        _position = 0;
        return NoneValue.Instance;
    }
}

/// <summary>joiner(', '): nothing at first, then its separator.</summary>
sealed class JoinerValue(Value separator) : Value
{
    bool _used;

    public override string TypeName => "Joiner";

    public override Value Call(Run run, Arguments arguments)
    {
        if (_used)
            return separator;
        _used = true;
        return StrValue.Empty;
    }
}
