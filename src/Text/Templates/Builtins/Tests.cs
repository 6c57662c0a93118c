using System.Collections.Frozen;

namespace Hearth.Text.Templates;

/// <summary>The tests of jinja2: value is name(arguments).</summary>
static class Tests
{
    static readonly FrozenDictionary<string, string> s_comparisons = new (string Op, string[] Names)[]
    {
        ("==", ["eq", "equalto", "=="]),
        ("!=", ["ne", "!="]),
        ("<", ["lt", "lessthan", "<"]),
        ("<=", ["le", "<="]),
        (">", ["gt", "greaterthan", ">"]),
        (">=", ["ge", ">="]),
    }.SelectMany(row => row.Names, (row, name) => (name, row.Op)).ToFrozenDictionary(row => row.name, row => row.Op);

    static readonly FrozenDictionary<string, Func<Run, Value, Value?, bool>> s_tests =
        new Dictionary<string, Func<Run, Value, Value?, bool>>
        {
            ["defined"] = (_, value, _) => value is not UndefinedValue,
            ["undefined"] = (_, value, _) => value is UndefinedValue,
            ["none"] = (_, value, _) => value is NoneValue,
            ["boolean"] = (_, value, _) => value is BoolValue,
            ["true"] = (_, value, _) => value == BoolValue.True,
            ["false"] = (_, value, _) => value == BoolValue.False,
            ["integer"] = (_, value, _) => value is IntValue,
            ["float"] = (_, value, _) => value is FloatValue,
            ["number"] = (_, value, _) => Operators.IsNumber(value),
            ["string"] = (_, value, _) => value is StrValue,
            ["mapping"] = (_, value, _) => value is DictValue,
            ["sequence"] = (_, value, _) => value is StrValue or DictValue or UndefinedValue or SequenceValue { IsIndexed: true },
            ["iterable"] = (_, value, _) => value is StrValue or DictValue or UndefinedValue or SequenceValue,
            ["callable"] = (_, value, _) => value is FunctionValue or MacroValue or LoopValue or JoinerValue or UndefinedValue,
            ["escaped"] = (_, _, _) => false,
            ["upper"] = (run, value, _) => StringMethods.IsCase(Printer.Str(run, value).Text, upper: true),
            ["lower"] = (run, value, _) => StringMethods.IsCase(Printer.Str(run, value).Text, upper: false),
            ["odd"] = (run, value, _) => Modulo(run, value, IntValue.Of(2), 1),
            ["even"] = (run, value, _) => Modulo(run, value, IntValue.Of(2), 0),
            ["divisibleby"] = (run, value, by) => Modulo(run, value, by, 0),
            ["sameas"] = (_, value, other) => ReferenceEquals(value, other)
                || (value is IntValue a && other is IntValue b && a.Number == b.Number)
                || (value is StrValue s && other is StrValue t && s.Text == t.Text),
            ["in"] = (run, value, container) => Operators.Contains(run, container!, value),
            ["filter"] = (run, value, _) => Filters.Exists(Printer.Str(run, value).Text),
            ["test"] = (run, value, _) => Exists(Printer.Str(run, value).Text),
        }.ToFrozenDictionary();

    static readonly FrozenSet<string> s_withArgument = ["divisibleby", "sameas", "in"];

    public static bool Exists(string name) => s_tests.ContainsKey(name) || s_comparisons.ContainsKey(name);

    public static bool Apply(Run run, string name, Value value, Arguments arguments)
    {
        var isComparison = s_comparisons.TryGetValue(name, out var op);
        var expected = isComparison || s_withArgument.Contains(name) ? 1 : 0;
        if (!Exists(name))
            throw EvaluationError.Runtime($"No test named '{name}'.");
        if (arguments.Positional.Length + arguments.Named.Length != expected)
            throw EvaluationError.Runtime($"the test '{name}' takes {expected} arguments");
        var argument = arguments.Positional.FirstOrDefault() ?? arguments.Named.FirstOrDefault().Value;
        return isComparison ? Operators.Test(run, op!, value, argument) : s_tests[name](run, value, argument);
    }

    static bool Modulo(Run run, Value value, Value? by, int remainder) =>
        Operators.AreEqual(run, Operators.Binary(run, "%", value, by!), IntValue.Of(remainder));
}
