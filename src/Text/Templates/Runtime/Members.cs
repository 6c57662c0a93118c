using System.Numerics;

namespace Hearth.Text.Templates;

/// <summary>Attribute, element and slice access, with the sandbox's refusals.</summary>
static class Members
{
    public static Value Attribute(Run run, Value owner, StrValue name)
    {
        if (owner is UndefinedValue undefined)
            throw undefined.Failure();
        return Safe(run, owner, name.Text) ?? owner.Element(run, name) ?? Missing(run, owner, name);
    }

    public static Value Element(Run run, Value owner, Value key)
    {
        if (owner is UndefinedValue undefined)
            throw undefined.Failure();
        var isHashable = key is StrValue or NoneValue || Operators.IsNumber(key);
        return (isHashable ? owner.Element(run, key) : null)
            ?? (key is StrValue name ? Safe(run, owner, name.Text) : null)
            ?? Missing(run, owner, key);
    }

    public static Value Slice(Run run, Value owner, Value? start, Value? stop, Value? step)
    {
        if (owner is UndefinedValue undefined)
            throw undefined.Failure();
        if (owner is not (StrValue or SequenceValue { IsIndexed: true }))
        {
            throw EvaluationError.Runtime(
                owner is DictValue ? "unhashable type: 'slice'" : $"'{owner.TypeName}' object is not subscriptable");
        }
        var stride = Bound(step) ?? 1;
        if (stride.IsZero)
            throw EvaluationError.Runtime("slice step cannot be zero");
        var length = owner.Length!.Value;
        var by = (int)BigInteger.Clamp(stride, -length - 1, length + 1);
        var (low, high) = by > 0 ? (0, length) : (-1, length - 1);
        var from = Clamp(Bound(start), length, low, high) ?? (by > 0 ? low : high);
        var to = Clamp(Bound(stop), length, low, high) ?? (by > 0 ? high : low);
        return owner is StrValue text ? Slice(run, text, from, to, by) : Slice(run, (SequenceValue)owner, from, to, by);
    }

    static StrValue Slice(Run run, StrValue text, int from, int to, int by)
    {
        if (by == 1)
        {
            run.SpendText(text.Text.Length);
            return to <= from ? StrValue.Empty : text.Part(text.Offset(from), text.Offset(to));
        }
        var characters = text.Iterate(run);
        var result = new StrBuilder(run);
        for (var i = from; by > 0 ? i < to : i > to; i += by)
            result.Append((StrValue)characters[i]);
        return result.ToStr();
    }

    static SequenceValue Slice(Run run, SequenceValue sequence, int from, int to, int by)
    {
        var picked = new List<Value>();
        for (var i = from; by > 0 ? i < to : i > to; i += by)
            picked.Add(sequence.Values[i]);
        run.Spend(picked.Count);
        return new SequenceValue(sequence.Kind == SequenceKind.Range ? SequenceKind.List : sequence.Kind, [.. picked]);
    }

    static BigInteger? Bound(Value? value)
    {
        if (value is null or NoneValue)
            return null;
        return Operators.IsInt(value, out var number)
            ? number
            : throw EvaluationError.Runtime("slice indices must be integers or None or have an __index__ method");
    }

    static int? Clamp(BigInteger? bound, int length, int low, int high) => bound is { } number
        ? (int)BigInteger.Clamp(number < 0 ? number + length : number, low, high)
        : null;

    /// <summary>An attribute, unless its name is one of Python's internals.</summary>
    static Value? Safe(Run run, Value owner, string name)
    {
        if (!name.StartsWith('_'))
            return owner.Attribute(run, name);
        return name.StartsWith("__", StringComparison.Ordinal) && owner.Element(run, StrValue.Template(name)) is null
            ? UndefinedValue.Unsafe(owner, name)
            : null;
    }

    static UndefinedValue Missing(Run run, Value owner, Value key) => UndefinedValue.Missing(run, owner, key);
}
