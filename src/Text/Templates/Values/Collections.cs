using System.Collections.Frozen;

namespace Hearth.Text.Templates;

enum SequenceKind { List, Tuple, Range, Keys, Values, Items, Generator }

/// <summary>A row of values: list, tuple, range, dict view, or the generator that many filters give.</summary>
class SequenceValue(SequenceKind kind, Value[] elements, string? repr = null) : Value
{
    static readonly FrozenSet<string> s_mutators =
        ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];

    bool _consumed;

    public SequenceKind Kind { get; } = kind;

    public Value[] Values { get; } = elements;

    /// <summary>Fixed representation of a range.</summary>
    public string? Representation { get; } = repr;

    public override string TypeName => Kind switch
    {
        SequenceKind.List => "list",
        SequenceKind.Tuple => "tuple",
        SequenceKind.Range => "range",
        SequenceKind.Keys => "dict_keys",
        SequenceKind.Values => "dict_values",
        SequenceKind.Items => "dict_items",
        _ => "generator",
    };

    public bool IsIndexed => Kind is SequenceKind.List or SequenceKind.Tuple or SequenceKind.Range;

    public override bool IsTrue => Kind == SequenceKind.Generator || Values.Length > 0;

    public override int? Length => Kind == SequenceKind.Generator ? null : Values.Length;

    public static SequenceValue List(Value[] values) => new(SequenceKind.List, values);

    public static SequenceValue Tuple(params Value[] values) => new(SequenceKind.Tuple, values);

    public static SequenceValue Generator(IEnumerable<Value> values) => new(SequenceKind.Generator, [.. values]);

    /// <summary>The elements; a generator gives them once.</summary>
    public override Value[] Iterate(Run run)
    {
        run.Spend(Values.Length);
        if (Kind != SequenceKind.Generator)
            return Values;
        if (_consumed)
            return [];
        _consumed = true;
        return Values;
    }

    public override Value? Element(Run run, Value key) =>
        IsIndexed && Operators.IsInt(key, out var index) && Operators.Position(index, Values.Length) is int position
            ? Values[position]
            : null;

    public override Value? Attribute(Run run, string name)
    {
        if (Kind == SequenceKind.List && s_mutators.Contains(name))
            return UndefinedValue.Unsafe(this, name);
        return IsIndexed ? ListMethods.Table.Bind(this, name) : null;
    }
}

/// <summary>What groupby gives: a pair that also answers to .grouper and .list.</summary>
sealed class GroupValue(Value grouper, Value list) : SequenceValue(SequenceKind.Tuple, [grouper, list])
{
    public override Value? Attribute(Run run, string name) => name switch
    {
        "grouper" => grouper,
        "list" => list,
        _ => base.Attribute(run, name),
    };
}

/// <summary>A dict in order of insertion. Keys are strings, numbers, booleans or None.</summary>
sealed class DictValue : Value
{
    static readonly FrozenSet<string> s_mutators = ["clear", "pop", "popitem", "setdefault", "update"];

    public OrderedDictionary<Value, Value> Entries { get; } = new(KeyComparer.Instance);

    public override string TypeName => "dict";

    public override bool IsTrue => Entries.Count > 0;

    public override int? Length => Entries.Count;

    public override Value[] Iterate(Run run)
    {
        run.Spend(Entries.Count);
        return [.. Entries.Keys];
    }

    public override Value? Element(Run run, Value key)
    {
        SpendHash(run, key);
        return Entries.TryGetValue(key, out var value) ? value : null;
    }

    public void Put(Run run, Value key, Value value)
    {
        SpendHash(run, key);
        Entries[key] = value;
    }

    /// <summary>Hashing a key costs as much as reading it.</summary>
    public static void SpendHash(Run run, Value key) => run.SpendText(key is StrValue text ? text.Text.Length : 0);

    public override Value? Attribute(Run run, string name) =>
        s_mutators.Contains(name) ? UndefinedValue.Unsafe(this, name) : DictMethods.Table.Bind(this, name);

    public Value[] Pairs(Run run)
    {
        run.Spend(2 * Entries.Count);
        return [.. Entries.Select(entry => SequenceValue.Tuple(entry.Key, entry.Value))];
    }
}

/// <summary>Python's equality and hash of dict keys: 1, 1.0 and True are one key.</summary>
sealed class KeyComparer : IEqualityComparer<Value>
{
    public static readonly KeyComparer Instance = new();

    public bool Equals(Value? x, Value? y) => (x, y) switch
    {
        (StrValue a, StrValue b) => a.Text == b.Text,
        (NoneValue, NoneValue) => true,
        ({ } a, { } b) => Operators.IsNumber(a) && Operators.IsNumber(b) && Operators.CompareNumbers(a, b) == 0,
        _ => false,
    };

    public int GetHashCode(Value value) => value switch
    {
        StrValue text => text.Text.GetHashCode(),
        NoneValue => 0,
        _ when Operators.IsNumber(value) => Operators.ToDouble(value).GetHashCode(),
        _ => throw EvaluationError.Runtime($"unhashable type: '{value.TypeName}'"),
    };
}
