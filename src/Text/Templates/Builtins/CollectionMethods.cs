namespace Hearth.Text.Templates;

/// <summary>Methods of list, tuple and range that do not change them.</summary>
static class ListMethods
{
    public static readonly BuiltinTable Table = new()
    {
        { "index", "self value", Index },
        { "count", "self value", (run, c) => IntValue.Of(c[0].Elements(run).Count(v => Operators.AreEqual(run, v, c[1]))) },
        { "copy", "self", (_, c) => c[0] },
    };

    static IntValue Index(Run run, Call call)
    {
        var at = Array.FindIndex(call[0].Elements(run), value => Operators.AreEqual(run, value, call[1]));
        return at >= 0 ? IntValue.Of(at) : throw EvaluationError.Runtime($"{Printer.Repr(run, call[1]).Text} is not in list");
    }
}

/// <summary>Methods of dict that do not change it.</summary>
static class DictMethods
{
    public static readonly BuiltinTable Table = new()
    {
        { "get", "self key default?", (run, c) => c[0].Element(run, c[1]) ?? c.Optional(2) ?? NoneValue.Instance },
        { "keys", "self", (run, c) => new SequenceValue(SequenceKind.Keys, c[0].Elements(run)) },
        { "values", "self", (run, c) => new SequenceValue(SequenceKind.Values, Values(run, (DictValue)c[0])) },
        { "items", "self", (run, c) => new SequenceValue(SequenceKind.Items, ((DictValue)c[0]).Pairs(run)) },
        { "copy", "self", (_, c) => c[0] },
    };

    static Value[] Values(Run run, DictValue dict)
    {
        run.Spend(dict.Entries.Count);
        return [.. dict.Entries.Values];
    }
}
