namespace Hearth.Text.Templates;

/// <summary>The filters of jinja2 by name.</summary>
static class Filters
{
    static readonly BuiltinTable[] s_tables = [TextFilters.Table, SequenceFilters.Table, ScalarFilters.Table];

    public static bool Exists(string name) => Find(name) is not null;

    public static Value Apply(Run run, string name, Value input, Arguments arguments)
    {
        var filter = Find(name) ?? throw EvaluationError.Runtime($"No filter named '{name}'.");
        return filter.Invoke(run, arguments.Prepend(input));
    }

    static Builtin? Find(string name)
    {
        foreach (var table in s_tables)
        {
            if (table.Find(name) is { } filter)
                return filter;
        }
        return null;
    }
}
