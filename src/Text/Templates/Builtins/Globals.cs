using System.Numerics;

namespace Hearth.Text.Templates;

/// <summary>The functions that transformers' environment gives every template.</summary>
static class Globals
{
    static readonly BuiltinTable s_functions = new()
    {
        { "range", "start stop? step?", Range },
        { "dict", "/? *", (run, c) => Fill(new DictValue(), run, c) },
        { "namespace", "/? *", (run, c) => MakeNamespace(run, c) },
        { "cycler", "*", (_, c) => MakeCycler(c.Rest.Positional) },
        { "joiner", "sep?", (_, c) => new JoinerValue(c.Optional(0) ?? StrValue.Template(", ")) },
        { "lipsum", "*", (_, _) => throw EvaluationError.Runtime("lipsum() is refused: it is random") },
        { "raise_exception", "message", (run, c) => throw new EvaluationError(TemplateErrorKind.Raised, c.Soft(run, 0).Text) },
        { "strftime_now", "format", (run, c) => Strftime.Format(run, c.Text(0)) },
    };

    public static readonly KeyValuePair<string, Value>[] All =
        [.. s_functions.Select(name => KeyValuePair.Create<string, Value>(name, Function(name)))];

    static FunctionValue Function(string name) => new(name, null, s_functions.Find(name)!.Invoke);

    static CyclerValue MakeCycler(Value[] values) => values.Length > 0
        ? new CyclerValue(values)
        : throw EvaluationError.Runtime("at least one item has to be provided");

    static SequenceValue Range(Run run, Call call)
    {
        var first = Bound(call[0]);
        var (start, stop) = call.Optional(1) is { } second ? (first, Bound(second)) : (BigInteger.Zero, first);
        var step = call.Optional(2) is { } third ? Bound(third) : BigInteger.One;
        if (step.IsZero)
            throw EvaluationError.Runtime("range() arg 3 must not be zero");
        var count = BigInteger.Max(0, (stop - start + step - step.Sign) / step);
        if (count > TemplateLimits.RangeLength)
        {
            throw EvaluationError.Limit(
                $"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({TemplateLimits.RangeLength}).");
        }
        run.Spend((long)count);
        var values = new Value[(int)count];
        for (var i = 0; i < values.Length; i++)
            values[i] = IntValue.Of(start + (i * step));
        var repr = step.IsOne ? $"range({start}, {stop})" : $"range({start}, {stop}, {step})";
        return new SequenceValue(SequenceKind.Range, values, repr);
    }

    static BigInteger Bound(Value value) => Operators.IsInt(value, out var number)
        ? number
        : throw EvaluationError.Runtime($"'{value.TypeName}' object cannot be interpreted as an integer");

    static NamespaceValue MakeNamespace(Run run, Call call)
    {
        var names = new NamespaceValue();
        Fill(names.Fields, run, call);
        return names;
    }

    static DictValue Fill(DictValue dict, Run run, Call call)
    {
        if (call.Optional(0) is { } source)
        {
            var pairs = source is DictValue other ? other.Pairs(run) : source.Elements(run);
            foreach (var pair in pairs)
            {
                if (pair.Elements(run) is not [var key, var value])
                    throw EvaluationError.Runtime("dict() expects pairs");
                dict.Put(run, key, value);
            }
        }
        foreach (var (key, value) in call.Rest.Named)
            dict.Put(run, key, value);
        return dict;
    }
}
