namespace Hearth.Engine.Checkpoints;

/// <summary>The metadata of a GGUF file. Every value is asked for with its bounds; what is wrong is named.</summary>
public sealed class GgufFields(string file, IReadOnlyDictionary<string, object> values)
{
    public string File => file;

    public bool Has(string name) => values.ContainsKey(name);

    public int Whole(string name, int min, int max) => WholeOrNull(name, min, max) ?? throw Bad(name, "is missing");

    public int? WholeOrNull(string name, int min, int max) => values.GetValueOrDefault(name) switch
    {
        null => null,
        double number when number >= min && number <= max && number == Math.Floor(number) => (int)number,
        // Some writers give one number per layer.
        double[] { Length: > 0 } list when list.AsSpan().IndexOfAnyExcept(list[0]) < 0
            && list[0] >= min && list[0] <= max && list[0] == Math.Floor(list[0]) => (int)list[0],
        double[] { Length: > 0 } => throw Bad(name, $"must be one whole number from {min} to {max}, the same for every layer"),
        _ => throw Bad(name, $"must be a whole number from {min} to {max}"),
    };

    public double? NumberOrNull(string name, double min, double max) => values.GetValueOrDefault(name) switch
    {
        null => null,
        double number when number >= min && number <= max => number,
        _ => throw Bad(name, $"must be a number from {min} to {max}"),
    };

    public bool? BoolOrNull(string name) => values.GetValueOrDefault(name) switch
    {
        null => null,
        bool value => value,
        _ => throw Bad(name, "must be true or false"),
    };

    public string? Text(string name) => values.GetValueOrDefault(name) switch
    {
        null => null,
        string text => text,
        _ => throw Bad(name, "must be a string"),
    };

    public string[]? Texts(string name) => values.GetValueOrDefault(name) switch
    {
        null => null,
        string[] texts => texts,
        _ => throw Bad(name, "must be a list of strings"),
    };

    public double[]? Numbers(string name) => values.GetValueOrDefault(name) switch
    {
        null => null,
        double[] numbers => numbers,
        _ => throw Bad(name, "must be a list of numbers"),
    };

    public CheckpointException Bad(string name, string message) => new(file, name, $"{message}.");
}
