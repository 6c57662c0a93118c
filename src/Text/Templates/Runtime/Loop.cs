namespace Hearth.Text.Templates;

sealed class ForStatement(int line, Target target, Expression items, Expression? test, bool isRecursive, int loopSlot)
    : Statement(line)
{
    public required Block Body { get; init; }

    public Block? Otherwise { get; init; }

    protected override Flow Do(Frame frame, StrBuilder output) => Iterate(frame, items.Evaluate(frame), output, depth: 0);

    /// <summary>Runs the body for every item; what ends early is the else, on behalf of a loop further out.</summary>
    Flow Iterate(Frame frame, Value iterable, StrBuilder output, int depth)
    {
        var values = iterable.Elements(frame.Run);
        if (test is not null)
            values = [.. values.Where(value => Passes(frame, value))];
        var loop = new LoopValue(values, depth, isRecursive ? (run, again) => Recurse(frame, again, depth + 1) : null);
        var anyCompleted = false;
        for (var i = 0; i < values.Length; i++)
        {
            frame.Run.Spend(1);
            loop.Index0 = i;
            var inner = frame.Inner();
            target.Assign(inner, values[i]);
            inner.Slots[loopSlot] = loop;
            var flow = Body.Execute(inner, output);
            if (flow == Flow.Break)
                break;
            anyCompleted |= flow == Flow.Next;
        }
        // As jinja2 has it: an iteration that was left by continue or break does not count against the else.
        return anyCompleted ? Flow.Next : Otherwise?.Execute(frame.Inner(), output) ?? Flow.Next;
    }

    bool Passes(Frame frame, Value value)
    {
        var inner = frame.Inner();
        target.Assign(inner, value);
        return test!.Evaluate(inner).IsTrue;
    }

    StrValue Recurse(Frame frame, Value items, int depth)
    {
        var output = new StrBuilder(frame.Run);
        frame.Run.Enter();
        Iterate(frame, items, output, depth);
        frame.Run.Leave();
        return output.ToStr();
    }
}

/// <summary>The variable `loop` inside a for.</summary>
sealed class LoopValue(Value[] values, int depth, Func<Run, Value, StrValue>? recurse) : Value
{
    Value[]? _lastChanged;

    public int Index0 { get; set; }

    public int Count => values.Length;

    public override string TypeName => "LoopContext";

    public override int? Length => Count;

    public override Value? Attribute(Run run, string name) => name switch
    {
        "index" => IntValue.Of(Index0 + 1),
        "index0" => IntValue.Of(Index0),
        "revindex" => IntValue.Of(Count - Index0),
        "revindex0" => IntValue.Of(Count - Index0 - 1),
        "first" => BoolValue.Of(Index0 == 0),
        "last" => BoolValue.Of(Index0 == Count - 1),
        "length" => IntValue.Of(Count),
        "depth" => IntValue.Of(depth + 1),
        "depth0" => IntValue.Of(depth),
        "previtem" => Index0 > 0 ? values[Index0 - 1] : new UndefinedValue("there is no previous item"),
        "nextitem" => Index0 + 1 < Count ? values[Index0 + 1] : new UndefinedValue("there is no next item"),
        "cycle" => new FunctionValue(name, TypeName, (_, arguments) => Cycle(arguments.Positional)),
        "changed" => new FunctionValue(name, TypeName, Changed),
        _ => null,
    };

    public override Value Call(Run run, Arguments arguments)
    {
        if (recurse is null)
            throw EvaluationError.Runtime("The loop must have the 'recursive' marker to be called recursively.");
        return arguments.Positional is [var items]
            ? recurse(run, items)
            : throw EvaluationError.Runtime("loop() takes the items to iterate");
    }

    Value Cycle(Value[] choices) => choices.Length > 0
        ? choices[Index0 % choices.Length]
        : throw EvaluationError.Runtime("no items for cycling given");

    BoolValue Changed(Run run, Arguments arguments)
    {
        var last = _lastChanged;
        _lastChanged = arguments.Positional;
        var isSame = last is not null
            && Operators.AreEqual(run, SequenceValue.Tuple(last), SequenceValue.Tuple(arguments.Positional));
        return BoolValue.Of(!isSame);
    }
}
