namespace Hearth.Text.Templates;

/// <summary>A node that gives a value; every evaluation costs one step.</summary>
abstract class Expression
{
    readonly int _height = 1;

    /// <exception cref="EvaluationError">The tree is higher than evaluation's stack allows.</exception>
    protected Expression(params ReadOnlySpan<Expression?> children)
    {
        foreach (var child in children)
            _height = Math.Max(_height, 1 + child?._height ?? 0);
        if (_height > TemplateLimits.Nesting)
            throw EvaluationError.Limit($"an expression nested more than {TemplateLimits.Nesting} deep");
    }

    public Value Evaluate(Frame frame)
    {
        frame.Run.Spend(1);
        return Compute(frame);
    }

    protected abstract Value Compute(Frame frame);
}

sealed class ConstantExpression(Value value) : Expression
{
    public Value Value { get; } = value;

    protected override Value Compute(Frame frame) => Value;
}

sealed class NameExpression(string name, int slot) : Expression
{
    public string Name { get; } = name;

    public int Slot { get; } = slot;

    protected override Value Compute(Frame frame) => frame.Lookup(Slot) ?? UndefinedValue.Name(Name);
}

sealed class SequenceExpression(SequenceKind kind, Expression[] elements) : Expression(elements)
{
    public SequenceKind Kind { get; } = kind;

    public Expression[] Elements { get; } = elements;

    protected override Value Compute(Frame frame)
    {
        var values = new Value[Elements.Length];
        for (var i = 0; i < values.Length; i++)
            values[i] = Elements[i].Evaluate(frame);
        return new SequenceValue(Kind, values);
    }
}

sealed class DictExpression((Expression Key, Expression Value)[] entries)
    : Expression([.. entries.Select(e => e.Key), .. entries.Select(e => e.Value)])
{
    protected override Value Compute(Frame frame)
    {
        var dict = new DictValue();
        foreach (var (key, value) in entries)
            dict.Put(frame.Run, key.Evaluate(frame), value.Evaluate(frame));
        return dict;
    }
}

sealed class UnaryExpression(char op, Expression operand) : Expression(operand)
{
    protected override Value Compute(Frame frame)
    {
        var value = operand.Evaluate(frame);
        return op == '-' ? Operators.Negate(value) : Operators.Plus(value);
    }
}

sealed class BinaryExpression(string op, Expression left, Expression right) : Expression(left, right)
{
    protected override Value Compute(Frame frame) =>
        Operators.Binary(frame.Run, op, left.Evaluate(frame), right.Evaluate(frame));
}

/// <summary>a ~ b ~ c: the texts of all, one after the other.</summary>
sealed class ConcatExpression(Expression[] parts) : Expression(parts)
{
    protected override Value Compute(Frame frame)
    {
        var result = new StrBuilder(frame.Run);
        foreach (var part in parts)
            result.Append(Printer.Str(frame.Run, part.Evaluate(frame)));
        return result.ToStr();
    }
}

/// <summary>a &lt; b &lt;= c: true when every neighbouring pair compares so.</summary>
sealed class ComparisonExpression(Expression first, (string Op, Expression Operand)[] rest)
    : Expression([first, .. rest.Select(r => r.Operand)])
{
    protected override Value Compute(Frame frame)
    {
        var left = first.Evaluate(frame);
        foreach (var (op, operand) in rest)
        {
            var right = operand.Evaluate(frame);
            if (!Operators.Test(frame.Run, op, left, right))
                return BoolValue.False;
            left = right;
        }
        return BoolValue.True;
    }
}

sealed class NotExpression(Expression operand) : Expression(operand)
{
    protected override Value Compute(Frame frame) => BoolValue.Of(!operand.Evaluate(frame).IsTrue);
}

/// <summary>and, or: give one of their operands, as Python does.</summary>
sealed class LogicExpression(bool isAnd, Expression left, Expression right) : Expression(left, right)
{
    protected override Value Compute(Frame frame)
    {
        var value = left.Evaluate(frame);
        return value.IsTrue == isAnd ? right.Evaluate(frame) : value;
    }
}

sealed class ConditionalExpression(Expression condition, Expression then, Expression? otherwise)
    : Expression(condition, then, otherwise)
{
    static readonly UndefinedValue s_noElse =
        new("the inline if-expression evaluated to false and no else section was defined.");

    protected override Value Compute(Frame frame) =>
        condition.Evaluate(frame).IsTrue ? then.Evaluate(frame) : otherwise?.Evaluate(frame) ?? s_noElse;
}

/// <summary>value.name: the attribute first, then the element.</summary>
sealed class MemberExpression(Expression owner, string name) : Expression(owner)
{
    readonly StrValue _key = StrValue.Template(name);

    protected override Value Compute(Frame frame) => Members.Attribute(frame.Run, owner.Evaluate(frame), _key);
}

/// <summary>value[key]: the element first, then the attribute.</summary>
sealed class IndexExpression(Expression owner, Expression key) : Expression(owner, key)
{
    protected override Value Compute(Frame frame)
    {
        var value = owner.Evaluate(frame);
        return Members.Element(frame.Run, value, key.Evaluate(frame));
    }
}

sealed class SliceExpression(Expression owner, Expression? start, Expression? stop, Expression? step)
    : Expression(owner, start, stop, step)
{
    protected override Value Compute(Frame frame)
    {
        var value = owner.Evaluate(frame);
        return Members.Slice(frame.Run, value, start?.Evaluate(frame), stop?.Evaluate(frame), step?.Evaluate(frame));
    }
}

sealed class CallExpression(Expression callee, ArgumentList arguments) : Expression([callee, .. arguments.All])
{
    public Expression Callee { get; } = callee;

    public ArgumentList Arguments { get; } = arguments;

    protected override Value Compute(Frame frame)
    {
        var function = Callee.Evaluate(frame);
        return function.Call(frame.Run, Arguments.Evaluate(frame));
    }
}

/// <summary>value | filter(...); without a value it is applied to a rendered block.</summary>
sealed class FilterExpression(Expression? input, string name, ArgumentList arguments)
    : Expression([input, .. arguments.All])
{
    protected override Value Compute(Frame frame) => Apply(frame, input!.Evaluate(frame));

    public Value Apply(Frame frame, Value value)
    {
        var inner = input is FilterExpression chained && chained.IsBlockFilter ? chained.Apply(frame, value) : value;
        return Filters.Apply(frame.Run, name, inner, arguments.Evaluate(frame));
    }

    /// <summary>True for the filters of {% filter %} and {% set x | filter %}: their chain ends without an input.</summary>
    public bool IsBlockFilter => input is null || input is FilterExpression { IsBlockFilter: true };
}

sealed class TestExpression(Expression input, string name, ArgumentList arguments)
    : Expression([input, .. arguments.All])
{
    protected override Value Compute(Frame frame)
    {
        var value = input.Evaluate(frame);
        return BoolValue.Of(Tests.Apply(frame.Run, name, value, arguments.Evaluate(frame)));
    }
}

sealed record ArgumentList(
    Expression[] Positional, (StrValue Name, Expression Value)[] Named, Expression? Spread, Expression? NamedSpread)
{
    public static readonly ArgumentList Empty = new([], [], null, null);

    public IEnumerable<Expression?> All => [.. Positional, .. Named.Select(n => n.Value), Spread, NamedSpread];

    public Arguments Evaluate(Frame frame)
    {
        if (Positional.Length == 0 && Named.Length == 0 && Spread is null && NamedSpread is null)
            return Arguments.None;
        var positional = new Value[Positional.Length];
        for (var i = 0; i < positional.Length; i++)
            positional[i] = Positional[i].Evaluate(frame);
        if (Spread is not null)
            positional = [.. positional, .. Spread.Evaluate(frame).Elements(frame.Run)];
        KeyValuePair<StrValue, Value>[] named =
            Named.Length == 0 ? [] : [.. Named.Select(n => KeyValuePair.Create(n.Name, n.Value.Evaluate(frame)))];
        return new Arguments(positional, NamedSpread is null ? named : [.. named, .. SpreadNamed(frame, NamedSpread)]);
    }

    static IEnumerable<KeyValuePair<StrValue, Value>> SpreadNamed(Frame frame, Expression spread)
    {
        if (spread.Evaluate(frame) is not DictValue dict)
            throw EvaluationError.Runtime("argument after ** must be a mapping");
        frame.Run.Spend(dict.Entries.Count);
        return dict.Entries.Select(entry => KeyValuePair.Create(
            entry.Key as StrValue ?? throw EvaluationError.Runtime("keywords must be strings"), entry.Value));
    }
}
