using System.Collections;

namespace Hearth.Text.Templates;

delegate Value BuiltinBody(Run run, Call call);

/// <summary>Arguments bound to a builtin's parameters; null where an optional one was left out.</summary>
readonly struct Call(string name, Value?[] values, Arguments rest)
{
    public Value this[int index] => values[index]!;

    /// <summary>Positional arguments after the named parameters, and keywords that are no parameter.</summary>
    public Arguments Rest { get; } = rest;

    public Value? Optional(int index) => values[index];

    /// <summary>An argument that must be a string.</summary>
    public StrValue Text(int index) => values[index] as StrValue
        ?? throw EvaluationError.Runtime($"{name}() expects a string, not {values[index]?.TypeName ?? "nothing"}");

    /// <summary>str(argument).</summary>
    public StrValue Soft(Run run, int index, string otherwise = "") =>
        values[index] is { } value ? Printer.Str(run, value) : StrValue.Template(otherwise);

    public bool IsTrue(int index, bool otherwise = false) => values[index]?.IsTrue ?? otherwise;

    public int Int(int index, int otherwise = 0)
    {
        if (values[index] is null or NoneValue)
            return otherwise;
        return Operators.IsInt(values[index]!, out var number)
            ? (int)System.Numerics.BigInteger.Clamp(number, int.MinValue, int.MaxValue)
            : throw EvaluationError.Runtime($"{name}() expects an integer, not {values[index]!.TypeName}");
    }
}

/// <summary>
/// A filter, method or function. Its signature: parameter names separated by spaces, "/" for one without a name, "?" after
/// optional ones, "*" for any more.
/// </summary>
sealed class Builtin
{
    readonly string _name;
    readonly string[] _parameters;
    readonly int _required;
    readonly bool _isVariadic;
    readonly BuiltinBody _body;

    public Builtin(string name, string signature, BuiltinBody body)
    {
        var words = signature.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        _name = name;
        _isVariadic = words is [.., "*"];
        _parameters = [.. words.Where(word => word != "*").Select(word => word.TrimEnd('?'))];
        _required = words.Count(word => word[^1] is not ('?' or '*'));
        _body = body;
    }

    public Value Invoke(Run run, Arguments arguments)
    {
        var given = arguments.Positional.Length;
        if (given > _parameters.Length && !_isVariadic)
            throw EvaluationError.Runtime($"{_name}() takes at most {_parameters.Length} arguments but {given} were given");
        var values = new Value?[_parameters.Length];
        arguments.Positional.AsSpan(0, Math.Min(given, values.Length)).CopyTo(values!);
        var unknown = arguments.Named.Length == 0 ? [] : BindNamed(values, arguments.Named);
        for (var i = 0; i < values.Length; i++)
        {
            // What a builtin does with a string costs at least as much as reading it.
            if (values[i] is StrValue text)
                run.SpendText(text.Text.Length);
            else if (values[i] is null && i < _required)
                throw EvaluationError.Runtime($"{_name}() missing required argument: '{_parameters[i]}'");
        }
        var rest = _isVariadic ? arguments.Skip(values.Length) with { Named = unknown } : Arguments.None;
        return _body(run, new Call(_name, values, rest));
    }

    KeyValuePair<StrValue, Value>[] BindNamed(Value?[] values, KeyValuePair<StrValue, Value>[] named)
    {
        var unknown = new List<KeyValuePair<StrValue, Value>>();
        foreach (var argument in named)
        {
            var at = Array.IndexOf(_parameters, argument.Key.Text);
            if (at < 0 && !_isVariadic)
                throw EvaluationError.Runtime($"{_name}() got an unexpected keyword argument '{argument.Key.Text}'");
            if (at < 0)
                unknown.Add(argument);
            else if (values[at] is null)
                values[at] = argument.Value;
            else
                throw EvaluationError.Runtime($"{_name}() got multiple values for argument '{argument.Key.Text}'");
        }
        return [.. unknown];
    }
}

/// <summary>Builtins by name; a collection initializer fills it.</summary>
sealed class BuiltinTable : IEnumerable<string>
{
    readonly Dictionary<string, Builtin> _builtins = [];

    public void Add(string name, string signature, BuiltinBody body) => _builtins.Add(name, new Builtin(name, signature, body));

    public Builtin? Find(string name) => _builtins.GetValueOrDefault(name);

    /// <summary>The method of this name, bound to its receiver; null when there is none.</summary>
    public FunctionValue? Bind(Value receiver, string name) => Find(name) is { } builtin
        ? new FunctionValue(name, receiver.TypeName, (run, arguments) => builtin.Invoke(run, arguments.Prepend(receiver)))
        : null;

    public IEnumerator<string> GetEnumerator() => _builtins.Keys.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
