namespace Hearth.Text.Templates;

/// <summary>How much a rendering may cost: a base, and more for a larger conversation.</summary>
static class Fuel
{
    public static long For(IEnumerable<Value> context)
    {
        long values = 0, characters = 0;
        foreach (var value in context)
            Measure(value, ref values, ref characters);
        return Math.Min(TemplateLimits.MaxFuel, TemplateLimits.BaseFuel
            + (values * TemplateLimits.FuelPerContextValue)
            + (characters / TemplateLimits.ContextCharactersPerFuel));
    }

    static void Measure(Value value, ref long values, ref long characters)
    {
        values++;
        switch (value)
        {
            case StrValue text:
                characters += text.Text.Length;
                break;
            case SequenceValue sequence:
                foreach (var element in sequence.Values)
                    Measure(element, ref values, ref characters);
                break;
            case DictValue dict:
                foreach (var (_, element) in dict.Entries)
                    Measure(element, ref values, ref characters);
                break;
        }
    }
}
