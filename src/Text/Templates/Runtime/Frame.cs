namespace Hearth.Text.Templates;

/// <summary>A scope: one slot for every name of the template, and the scope around it.</summary>
sealed class Frame
{
    readonly Frame? _outer;
    readonly int _depth;

    public Frame(Run run, int names, Frame? outer)
    {
        run.Spend(names / 8);
        _depth = outer is null ? 0 : outer._depth + 1;
        if (_depth > TemplateLimits.ScopeDepth)
            throw EvaluationError.Limit($"scopes nested more than {TemplateLimits.ScopeDepth} deep");
        Run = run;
        Slots = new Value?[names];
        _outer = outer;
    }

    public Run Run { get; }

    public Value?[] Slots { get; }

    public Frame Inner() => new(Run, Slots.Length, this);

    public Value? Lookup(int slot)
    {
        for (var frame = this; frame is not null; frame = frame._outer)
        {
            if (frame.Slots[slot] is { } value)
                return value;
        }
        return null;
    }
}
