using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Hearth.Cli;

/// <summary>Makes options that can also be set by an environment variable: <c>--kv-memory</c> is <c>HEARTH_KV_MEMORY</c>.
/// The flag beats the variable.</summary>
static class Flag
{
    public static Option<string?> Text(string name, string description, string? fallback = null) =>
        Of<string?>(name, description, fallback, text => text);

    public static Option<int> Number(string name, string description, int fallback) =>
        Of(name, description, fallback, text =>
            int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
                ? value
                : throw new FormatException($"'{text}' is not a whole number"));

    /// <summary>Bytes; to be read by <see cref="Bytes"/>.</summary>
    public static Option<string?> Size(string name, string description)
    {
        // As text, since the parser of command lines takes no null for a number that was given.
        var option = Of<string?>(name, description, null, text => Bytes(text) >= 0 ? text : "auto");
        option.HelpName = "SIZE";
        return option;
    }

    /// <summary>Several sizes, separated by commas.</summary>
    public static Option<string?> Sizes(string name, string description) =>
        Of<string?>(name, description, null, text => text.Split(',').Sum(ByteSize.Parse) >= 0 ? text : null);

    /// <returns>Null means the program chooses.</returns>
    public static long? Bytes(string? size) => size is null or "auto" ? null : ByteSize.Parse(size);

    /// <summary>A time such as 1.5s, 250ms or 2m.</summary>
    public static Option<TimeSpan> Duration(string name, string description, TimeSpan fallback) =>
        Of(name, description, fallback, Cli.Duration.Parse);

    public static Option<bool> Switch(string name, string description) => new(name)
    {
        Description = $"{description} ({VariableOf(name)})",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(VariableOf(name)) is "1" or "true",
    };

    /// <summary>The parts of a value that lists several.</summary>
    public static string[] List(string? text) =>
        text?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    public const string VariablePrefix = "HEARTH_";

    public static string VariableOf(string name) => VariablePrefix + name.TrimStart('-').Replace('-', '_').ToUpperInvariant();

    static Option<T> Of<T>(string name, string description, T fallback, Func<string, T> parse)
    {
        var variable = VariableOf(name);
        return new Option<T>(name)
        {
            Description = $"{description} ({variable})",
            HelpName = fallback is int ? "N" : fallback is TimeSpan ? "TIME" : "TEXT",
            CustomParser = result => Parse(result, result.Tokens[0].Value, name, parse),
            DefaultValueFactory = result => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value
                ? Parse(result, value, variable, parse)
                : fallback,
        };
    }

    static T Parse<T>(ArgumentResult result, string text, string source, Func<string, T> parse)
    {
        try
        {
            return parse(text);
        }
        catch (FormatException error)
        {
            result.AddError($"{source}: {error.Message}.");
            return default!;
        }
    }
}
