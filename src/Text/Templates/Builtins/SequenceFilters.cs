namespace Hearth.Text.Templates;

/// <summary>
/// Filters over what can be iterated. Like jinja2's, many give a generator: it can be read once and has no length.
/// </summary>
static class SequenceFilters
{
    static readonly StrValue s_attribute = StrValue.Template("attribute");

    public static readonly BuiltinTable Table = new()
    {
        { "list", "value", (run, c) => SequenceValue.List([.. c[0].Elements(run)]) },
        { "first", "value", (run, c) => c[0].Elements(run) is [var first, ..] ? first : Nothing("first") },
        { "last", "value", (run, c) => c[0].Elements(run) is [.., var last] ? last : Nothing("last") },
        { "join", "value d? attribute?", Join },
        { "items", "value", Items },
        { "reverse", "value", Reverse },
        { "sort", "value reverse? case_sensitive? attribute?", Sort },
        { "dictsort", "value case_sensitive? by? reverse?", DictSort },
        { "unique", "value case_sensitive? attribute?", Unique },
        { "min", "value case_sensitive? attribute?", (run, c) => Extreme(run, c, 1) },
        { "max", "value case_sensitive? attribute?", (run, c) => Extreme(run, c, -1) },
        { "sum", "value attribute? start?", Sum },
        { "batch", "value linecount fill_with?", Batch },
        { "slice", "value slices fill_with?", Slice },
        { "groupby", "value attribute default? case_sensitive?", GroupBy },
        { "map", "value *", Map },
        { "select", "value *", (run, c) => Select(run, c[0], c.Rest, expected: true) },
        { "reject", "value *", (run, c) => Select(run, c[0], c.Rest, expected: false) },
        { "selectattr", "value attribute *", (run, c) => Select(run, c[0], c.Rest, expected: true, c[1]) },
        { "rejectattr", "value attribute *", (run, c) => Select(run, c[0], c.Rest, expected: false, c[1]) },
    };

    static UndefinedValue Nothing(string which) => new($"No {which} item, sequence was empty.");

    static StrValue Join(Run run, Call call)
    {
        var separator = call.Soft(run, 1);
        var attribute = call.Optional(2);
        return Strings.Join(run, separator, call[0].Elements(run), (value, _) =>
            Printer.Str(run, attribute is null or NoneValue ? value : Attribute(run, value, attribute)));
    }

    static SequenceValue Items(Run run, Call call) => call[0] switch
    {
        DictValue dict => SequenceValue.Generator(dict.Pairs(run)),
        UndefinedValue => SequenceValue.Generator([]),
        _ => throw EvaluationError.Runtime("Can only get item pairs from a mapping."),
    };

    static Value Reverse(Run run, Call call)
    {
        var values = call[0].Elements(run).Reverse();
        return call[0] is StrValue
            ? Strings.Join(run, StrValue.Empty, [.. values], (value, _) => (StrValue)value)
            : SequenceValue.Generator(values);
    }

    static SequenceValue Sort(Run run, Call call)
    {
        var keys = call.Optional(3) is StrValue names
            ? names.Text.Split(',').Select(name => (Value)StrValue.Template(name)).ToArray()
            : call.Optional(3) is { } single and not NoneValue ? [single] : [];
        return SequenceValue.List(Sorted(run, call[0].Elements(run), Key, call.IsTrue(1)));

        Value Key(Value value) => keys.Length == 0
            ? Fold(run, value, call.IsTrue(2))
            : SequenceValue.List([.. keys.Select(key => Fold(run, Attribute(run, value, key), call.IsTrue(2)))]);
    }

    static SequenceValue DictSort(Run run, Call call)
    {
        var dict = call[0] as DictValue ?? throw EvaluationError.Runtime("dictsort expects a mapping");
        var position = call.Soft(run, 2, "key").Text switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw EvaluationError.Runtime("You can only sort by either \"key\" or \"value\""),
        };
        Value Key(Value pair) => Fold(run, ((SequenceValue)pair).Values[position], call.IsTrue(1));
        return SequenceValue.List(Sorted(run, dict.Pairs(run), Key, call.IsTrue(3)));
    }

    static SequenceValue Unique(Run run, Call call)
    {
        var seen = new HashSet<Value>(KeyComparer.Instance);
        var attribute = call.Optional(2);
        return SequenceValue.Generator(call[0].Elements(run).Where(IsNew));

        bool IsNew(Value value)
        {
            var key = Fold(run, attribute is null or NoneValue ? value : Attribute(run, value, attribute), call.IsTrue(1));
            DictValue.SpendHash(run, key);
            return seen.Add(key);
        }
    }

    static Value Extreme(Run run, Call call, int sign)
    {
        var values = call[0].Elements(run);
        if (values.Length == 0)
            return Nothing("aggregated");
        Value Key(Value value) =>
            Fold(run, call.Optional(2) is { } name and not NoneValue ? Attribute(run, value, name) : value, call.IsTrue(1));
        var best = values[0];
        foreach (var value in values.AsSpan(1))
        {
            if (Operators.Compare(run, sign > 0 ? "<" : ">", Key(value), Key(best)) * sign < 0)
                best = value;
        }
        return best;
    }

    static Value Sum(Run run, Call call)
    {
        var attribute = call.Optional(1);
        var total = call.Optional(2) ?? IntValue.Of(0);
        foreach (var value in call[0].Elements(run))
            total = Operators.Binary(run, "+", total, attribute is null or NoneValue ? value : Attribute(run, value, attribute));
        return total;
    }

    static SequenceValue Batch(Run run, Call call)
    {
        var size = call.Int(1);
        if (size < 1)
            throw EvaluationError.Runtime("batch expects a positive count");
        var rows = call[0].Elements(run).Chunk(size).ToArray();
        if (rows.Length > 0 && rows[^1].Length < size && call.Optional(2) is { } fill and not NoneValue)
        {
            run.Spend(size);
            rows[^1] = [.. rows[^1], .. Enumerable.Repeat(fill, size - rows[^1].Length)];
        }
        return SequenceValue.Generator(rows.Select(SequenceValue.List));
    }

    static SequenceValue Slice(Run run, Call call)
    {
        var (values, slices) = (call[0].Elements(run), call.Int(1));
        if (slices < 1)
            throw EvaluationError.Runtime("slice expects a positive count");
        run.Spend(slices);
        var (size, longer) = (values.Length / slices, values.Length % slices);
        var rows = new List<Value>();
        for (int i = 0, at = 0; i < slices; i++)
        {
            var count = size + (i < longer ? 1 : 0);
            Value[] row = values[at..(at + count)];
            at += count;
            rows.Add(SequenceValue.List(
                i >= longer && call.Optional(2) is { } fill and not NoneValue ? [.. row, fill] : row));
        }
        return SequenceValue.Generator(rows);
    }

    static SequenceValue GroupBy(Run run, Call call)
    {
        Value Grouper(Value value) => Attribute(run, value, call[1], call.Optional(2));
        Value Key(Value value) => Fold(run, Grouper(value), call.IsTrue(3));
        var groups = new List<(Value Key, List<Value> Members)>();
        foreach (var value in Sorted(run, call[0].Elements(run), Key, reverse: false))
        {
            var key = Key(value);
            if (groups.Count == 0 || !Operators.AreEqual(run, groups[^1].Key, key))
                groups.Add((key, []));
            groups[^1].Members.Add(value);
        }
        return SequenceValue.List(
            [.. groups.Select(g => new GroupValue(Grouper(g.Members[0]), SequenceValue.List([.. g.Members])))]);
    }

    static SequenceValue Map(Run run, Call call)
    {
        var (positional, named) = (call.Rest.Positional, call.Rest.Named);
        if (!call[0].IsTrue)
            return SequenceValue.Generator([]);
        if (positional.Length == 0 && named.FirstOrDefault(n => n.Key.Text == s_attribute.Text).Value is { } attribute)
        {
            var otherwise = named.FirstOrDefault(n => n.Key.Text == "default").Value;
            return SequenceValue.Generator(call[0].Elements(run).Select(value => Attribute(run, value, attribute, otherwise)));
        }
        if (positional is not [StrValue name, ..])
            throw EvaluationError.Runtime("map requires a filter argument");
        var arguments = call.Rest.Skip(1);
        return SequenceValue.Generator(call[0].Elements(run).Select(value => Filters.Apply(run, name.Text, value, arguments)));
    }

    static SequenceValue Select(Run run, Value input, Arguments test, bool expected, Value? attribute = null)
    {
        var arguments = test.Skip(1);
        return SequenceValue.Generator(
            input.IsTrue ? input.Elements(run).Where(value => Passes(value) == expected) : []);

        bool Passes(Value value)
        {
            run.Spend(1);
            var tested = attribute is null ? value : Attribute(run, value, attribute);
            if (test.Positional.Length == 0)
                return tested.IsTrue;
            return test.Positional[0] is StrValue name
                ? Tests.Apply(run, name.Text, tested, arguments)
                : throw EvaluationError.Runtime("the name of a test is expected");
        }
    }

    /// <summary>value.a.b or value.0 for "a.b" and "0"; the default stands for what is undefined.</summary>
    static Value Attribute(Run run, Value value, Value path, Value? otherwise = null)
    {
        if (path is not StrValue names)
            return Members.Element(run, value, path);
        foreach (var name in names.Text.Split('.'))
        {
            var isIndex = name.Length is > 0 and < 10 && name.All(char.IsAsciiDigit);
            value = Members.Element(run, value, isIndex
                ? IntValue.Of(int.Parse(name, System.Globalization.CultureInfo.InvariantCulture))
                : StrValue.Template(name));
            if (value is UndefinedValue && otherwise is not null and not NoneValue)
                value = otherwise;
        }
        return value;
    }

    static Value Fold(Run run, Value value, bool isCaseSensitive) =>
        value is StrValue text && !isCaseSensitive ? Characters.Lower(run, text) : value;

    static Value[] Sorted(Run run, Value[] values, Func<Value, Value> key, bool reverse)
    {
        run.Spend(values.Length);
        var comparer = Comparer<Value>.Create((a, b) => Operators.Compare(run, "<", a, b) ?? 0);
        var keyed = values.Select(value => (Key: key(value), Value: value)).ToArray();
        try
        {
            var ordered = reverse ? keyed.OrderByDescending(k => k.Key, comparer) : keyed.OrderBy(k => k.Key, comparer);
            return [.. ordered.Select(k => k.Value)];
        }
        catch (InvalidOperationException e) when (e.InnerException is EvaluationError or OperationCanceledException)
        {
            throw e.InnerException;
        }
    }
}
