namespace Hearth.Text.Templates;

/// <summary>How a statement ended: on to the next, or out of the loop's body.</summary>
enum Flow { Next, Continue, Break }

abstract class Statement(int line)
{
    public Flow Execute(Frame frame, StrBuilder output)
    {
        frame.Run.Spend(1);
        frame.Run.Line = line;
        return Do(frame, output);
    }

    protected abstract Flow Do(Frame frame, StrBuilder output);
}

sealed class Block(Statement[] statements)
{
    public Flow Execute(Frame frame, StrBuilder output)
    {
        foreach (var statement in statements)
        {
            var flow = statement.Execute(frame, output);
            if (flow != Flow.Next)
                return flow;
        }
        return Flow.Next;
    }

    public StrValue Render(Frame frame)
    {
        var output = new StrBuilder(frame.Run);
        Execute(frame, output);
        return output.ToStr();
    }
}

sealed class DataStatement(int line, string text) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output)
    {
        output.Append(text, isTemplate: true);
        return Flow.Next;
    }
}

sealed class PrintStatement(int line, Expression expression) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output)
    {
        output.Append(Printer.Str(frame.Run, expression.Evaluate(frame)));
        return Flow.Next;
    }
}

sealed class FlowStatement(int line, Flow flow) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output) => flow;
}

sealed class IfStatement(int line, (Expression Condition, Block Body)[] branches, Block? otherwise) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output)
    {
        foreach (var (condition, body) in branches)
        {
            if (condition.Evaluate(frame).IsTrue)
                return body.Execute(frame, output);
        }
        return otherwise?.Execute(frame, output) ?? Flow.Next;
    }
}

sealed class SetStatement(int line, Target target, Expression value) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output)
    {
        target.Assign(frame, value.Evaluate(frame));
        return Flow.Next;
    }
}

/// <summary>{% set x %}...{% endset %}</summary>
sealed class SetBlockStatement(int line, Target target, FilterExpression? filter, Block body) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output)
    {
        var text = body.Render(frame.Inner());
        target.Assign(frame, filter is null ? text : filter.Apply(frame, text));
        return Flow.Next;
    }
}

sealed class FilterBlockStatement(int line, FilterExpression filter, Block body) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output)
    {
        output.Append(Printer.Str(frame.Run, filter.Apply(frame, body.Render(frame.Inner()))));
        return Flow.Next;
    }
}

/// <summary>{% with a = 1 %}: the values are those of the outer scope.</summary>
sealed class WithStatement(int line, (Target Target, Expression Value)[] assignments, Block body) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output)
    {
        var inner = frame.Inner();
        foreach (var (target, value) in assignments)
            target.Assign(inner, value.Evaluate(frame));
        return body.Execute(inner, output);
    }
}

/// <summary>{% generation %}: marks what the model wrote, for training; here it only opens a scope.</summary>
sealed class GenerationStatement(int line, Block body) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output) => body.Execute(frame.Inner(), output);
}

sealed class MacroStatement(int line, int slot, Macro macro) : Statement(line)
{
    protected override Flow Do(Frame frame, StrBuilder output)
    {
        frame.Slots[slot] = new MacroValue(macro, frame);
        return Flow.Next;
    }
}

/// <summary>{% call(x) macro() %}...{% endcall %}: the body becomes the macro's caller().</summary>
sealed class CallBlockStatement(int line, Macro caller, Expression callee, ArgumentList arguments) : Statement(line)
{
    static readonly StrValue s_caller = StrValue.Template("caller");

    protected override Flow Do(Frame frame, StrBuilder output)
    {
        var function = callee.Evaluate(frame);
        var values = arguments.Evaluate(frame);
        var named = KeyValuePair.Create(s_caller, (Value)new MacroValue(caller, frame));
        var result = function.Call(frame.Run, values with { Named = [.. values.Named, named] });
        output.Append(Printer.Str(frame.Run, result));
        return Flow.Next;
    }
}

/// <summary>Where an assignment goes.</summary>
abstract record Target
{
    public abstract void Assign(Frame frame, Value value);
}

sealed record NameTarget(int Slot) : Target
{
    public override void Assign(Frame frame, Value value) => frame.Slots[Slot] = value;
}

sealed record NamespaceTarget(string Name, int Slot, StrValue Field) : Target
{
    public override void Assign(Frame frame, Value value)
    {
        if (frame.Lookup(Slot) is not NamespaceValue names)
            throw EvaluationError.Runtime("cannot assign attribute on non-namespace object");
        names.Fields.Entries[Field] = value;
    }
}

sealed record TupleTarget(Target[] Targets) : Target
{
    public override void Assign(Frame frame, Value value)
    {
        var values = value.Elements(frame.Run);
        if (values.Length < Targets.Length)
        {
            throw EvaluationError.Runtime(
                $"not enough values to unpack (expected {Targets.Length}, got {values.Length})");
        }
        if (values.Length > Targets.Length)
            throw EvaluationError.Runtime($"too many values to unpack (expected {Targets.Length})");
        for (var i = 0; i < Targets.Length; i++)
            Targets[i].Assign(frame, values[i]);
    }
}
