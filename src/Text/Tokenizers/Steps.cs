namespace Hearth.Text.Tokenizers;

/// <summary>Reads the parts of a tokenizer file that are one step or a sequence of steps.</summary>
static class Steps
{
    /// <summary>Calls <paramref name="read"/> for every step that is not itself a sequence, in order.</summary>
    /// <param name="member">The name under which a sequence keeps its steps.</param>
    internal static void Flatten(JsonField field, string member, Action<JsonField> read)
    {
        var count = 0;
        Visit(field, depth: 0);

        void Visit(JsonField step, int depth)
        {
            if (step.IsNull)
            {
                return;
            }

            if (step["type"].Text() == "Sequence")
            {
                if (depth >= Limits.Tokenizer.StepDepthMax)
                {
                    throw step.Error($"is nested deeper than {Limits.Tokenizer.StepDepthMax} sequences");
                }

                foreach (var item in step[member].Items(Limits.Tokenizer.StepsMax))
                {
                    Visit(item, depth + 1);
                }
            }
            else if (++count > Limits.Tokenizer.StepsMax)
            {
                throw step.Error($"is step {count}; at most {Limits.Tokenizer.StepsMax} are supported");
            }
            else
            {
                read(step);
            }
        }
    }
}
