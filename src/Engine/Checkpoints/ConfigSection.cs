using System.Text.Json;

namespace Hearth.Engine.Checkpoints;

/// <summary>A JSON object of a checkpoint's configuration. Every value is asked for with its bounds; what is wrong is
/// named.</summary>
sealed class ConfigSection
{
    readonly string _file;
    readonly string _path;
    readonly JsonElement _fields;

    ConfigSection(string file, string path, JsonElement fields) => (_file, _path, _fields) = (file, path, fields);

    /// <returns>Null if there is no such file.</returns>
    /// <exception cref="CheckpointException">It is too large, unreadable or no JSON object.</exception>
    public static ConfigSection? Read(string file, int bytesMax = CheckpointLimits.ConfigBytesMax)
    {
        try
        {
            var info = new FileInfo(file);
            if (!info.Exists)
                return null;
            // A link's own length is not that of its file. Pipes and devices have none: reading one might never end.
            var length = info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target.Length : info.Length;
            if (length == 0)
                throw new CheckpointException(file, null, "is empty, or no plain file.");
            if (length > bytesMax)
                throw new CheckpointException(file, null, $"has more than {bytesMax} bytes.");
            return Parse(file, File.ReadAllBytes(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(file, null, $"cannot be read ({e.Message}).", e);
        }
    }

    public static ConfigSection Parse(string file, ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions
            {
                MaxDepth = CheckpointLimits.JsonDepthMax,
                AllowDuplicateProperties = false,
            });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new CheckpointException(file, null, "must be a JSON object.");
            return new(file, "", document.RootElement.Clone());
        }
        catch (JsonException e)
        {
            throw new CheckpointException(file, null, $"is not valid JSON ({e.Message}).", e);
        }
    }

    /// <summary>True if the field is there and not null.</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>True if the field is there, perhaps as null.</summary>
    public bool Mentions(string name) => _fields.TryGetProperty(name, out _);

    /// <summary>A field that may be missing or null.</summary>
    public ConfigSection? Section(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } fields => new(_file, $"{_path}{name}.", fields),
        _ => throw Bad(name, "must be an object"),
    };

    /// <summary>The fields' names and string values.</summary>
    public IEnumerable<(string Name, string Value)> Strings()
    {
        foreach (var field in _fields.EnumerateObject())
        {
            var value = field.Value.ValueKind == JsonValueKind.String ? Text(field.Value) : null;
            yield return (field.Name, value ?? throw Bad(field.Name, "must be a string"));
        }
    }

    public int Int(string name, int min, int max) =>
        IntOrNull(name, min, max) ?? throw Bad(name, "is missing");

    public int? IntOrNull(string name, int min, int max) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } field
            when field.TryGetInt32(out var number) && number >= min && number <= max => number,
        _ => throw Bad(name, $"must be a whole number from {min} to {max}"),
    };

    public double? NumberOrNull(string name, double min, double max) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } field
            when field.TryGetDouble(out var number) && number >= min && number <= max => number,
        _ => throw Bad(name, $"must be a number from {min} to {max}"),
    };

    public double Number(string name, double min, double max) =>
        NumberOrNull(name, min, max) ?? throw Bad(name, "is missing");

    public bool Bool(string name, bool otherwise) => Find(name) switch
    {
        null => otherwise,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw Bad(name, "must be true or false"),
    };

    public string? String(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } field when Text(field) is { } text => text,
        _ => throw Bad(name, "must be a string"),
    };

    public string[]? StringsOf(string name, int countMax) => Items(name, countMax, "strings",
        item => item.ValueKind == JsonValueKind.String ? Text(item) : null);

    /// <summary>A number or a list of numbers; null if missing.</summary>
    public int[]? IntsOf(string name, int min, int max, int countMax)
    {
        if (Find(name) is { ValueKind: JsonValueKind.Number })
            return [Int(name, min, max)];
        return Items<object>(name, countMax, $"whole numbers from {min} to {max}", item =>
            item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var number) && number >= min && number <= max
                ? number
                : null)
            ?.Cast<int>().ToArray();
    }

    public double[]? NumbersOf(string name, double min, double max, int countMax) =>
        Items<object>(name, countMax, $"numbers from {min} to {max}", item =>
            item.ValueKind == JsonValueKind.Number && item.TryGetDouble(out var number) && number >= min && number <= max
                ? number
                : null)
            ?.Cast<double>().ToArray();

    /// <summary>A text from the file as messages may show it.</summary>
    public static string Short(string text) => text.Length <= 64 ? text : text[..64] + "…";

    public CheckpointException Bad(string name, string message) => new(_file, _path + name, $"{message}.");

    T[]? Items<T>(string name, int countMax, string what, Func<JsonElement, T?> read) where T : class
    {
        if (Find(name) is not { } list)
            return null;
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > countMax)
            throw Bad(name, $"must be a list of at most {countMax} {what}");
        return [.. list.EnumerateArray().Select(item => read(item) ?? throw Bad(name, $"must be a list of {what}"))];
    }

    JsonElement? Find(string name) =>
        _fields.TryGetProperty(name, out var field) && field.ValueKind != JsonValueKind.Null ? field : null;

    static string? Text(JsonElement field)
    {
        try
        {
            return field.GetString();
        }
        catch (InvalidOperationException)
        {
            return null; // half a surrogate pair: no text
        }
    }
}
