namespace Hearth.Text.Templates;

/// <summary>A macro's definition. Extra arguments are accepted only where the body names varargs or kwargs.</summary>
sealed record Macro(string Name, MacroParameter[] Parameters, Block Body)
{
    /// <summary>Slots of the special names; null where the body does not use them.</summary>
    public int? Caller { get; init; }

    public int? Varargs { get; init; }

    public int? Kwargs { get; init; }
}

sealed record MacroParameter(string Name, int Slot, Expression? Default);

/// <summary>A macro together with the scope that it was defined in.</summary>
sealed class MacroValue(Macro macro, Frame scope) : Value
{
    public string Name => macro.Name;

    public override string TypeName => "Macro";

    public override Value? Attribute(Run run, string name) => name switch
    {
        "name" => StrValue.Template(Name),
        "arguments" => SequenceValue.Tuple([.. macro.Parameters.Select(p => StrValue.Template(p.Name))]),
        "caller" => BoolValue.Of(macro.Caller is not null),
        "catch_varargs" => BoolValue.Of(macro.Varargs is not null),
        "catch_kwargs" => BoolValue.Of(macro.Kwargs is not null),
        _ => null,
    };

    public override Value Call(Run run, Arguments arguments)
    {
        run.Enter();
        var frame = scope.Inner();
        BindParameters(frame, arguments);
        var line = run.Line;
        var text = macro.Body.Render(frame);
        run.Line = line;
        run.Leave();
        return text;
    }

    void BindParameters(Frame frame, Arguments arguments)
    {
        frame.Run.Spend(macro.Parameters.Length);
        var named = new Dictionary<string, KeyValuePair<StrValue, Value>>();
        foreach (var argument in arguments.Named)
            named[argument.Key.Text] = argument;
        for (var i = 0; i < macro.Parameters.Length; i++)
        {
            var parameter = macro.Parameters[i];
            if (i < arguments.Positional.Length)
            {
                frame.Slots[parameter.Slot] = arguments.Positional[i];
            }
            else if (named.Remove(parameter.Name, out var argument))
            {
                frame.Slots[parameter.Slot] = argument.Value;
            }
            else
            {
                frame.Slots[parameter.Slot] = parameter.Default?.Evaluate(frame)
                    ?? new UndefinedValue($"parameter '{parameter.Name}' was not provided");
            }
        }
        BindSpecials(frame, arguments, named);
    }

    void BindSpecials(Frame frame, Arguments arguments, Dictionary<string, KeyValuePair<StrValue, Value>> named)
    {
        if (macro.Caller is int callerSlot)
        {
            frame.Slots[callerSlot] =
                named.Remove("caller", out var caller) ? caller.Value : new UndefinedValue("No caller defined");
        }
        if (macro.Kwargs is int kwargsSlot)
        {
            var rest = new DictValue();
            foreach (var (key, value) in named.Values)
                rest.Put(frame.Run, key, value);
            frame.Slots[kwargsSlot] = rest;
        }
        else if (named.Count > 0)
        {
            throw EvaluationError.Runtime($"macro '{Name}' takes no keyword argument '{named.First().Key}'");
        }
        if (macro.Varargs is int varargsSlot)
            frame.Slots[varargsSlot] = SequenceValue.Tuple(arguments.Skip(macro.Parameters.Length).Positional);
        else if (arguments.Positional.Length > macro.Parameters.Length)
            throw EvaluationError.Runtime($"macro '{Name}' takes not more than {macro.Parameters.Length} argument(s)");
    }
}
