using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>Keeps the first fault of a request.</summary>
sealed class Faults
{
    public TurnFailure? First { get; private set; }

    public void Add(string path, string message, TurnError error = TurnError.InvalidRequest) =>
        First ??= new TurnFailure(error, path.Length == 0 ? message : $"{path}: {message}", path.Length == 0 ? null : path);
}

/// <summary>Reads the fields of one JSON object. A null value is an absent one. A value that will not do is noted with its
/// path and reads as absent, so that the reading goes on and ends with one error.</summary>
readonly struct Fields(JsonElement element, string path, Faults faults)
{
    public Faults Faults => faults;

    public string PathOf(string name) => FieldPath.Join(path, name);

    public void Fail(string name, string message) => faults.Add(PathOf(name), message);

    public JsonElement? Get(string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public bool Has(string name) => Get(name) is not null;

    public JsonElement? Get(string name, JsonValueKind kind, string wanted)
    {
        var value = Get(name);
        if (value is { } v && v.ValueKind != kind)
        {
            Fail(name, $"must be {wanted}.");
            return null;
        }
        return value;
    }

    public string? Text(string name, int charsMax, int charsMin = 0) =>
        Get(name) is { } value ? TextOf(value, PathOf(name), faults, charsMax, charsMin) : null;

    public static string? TextOf(JsonElement value, string path, Faults faults, int charsMax, int charsMin = 0)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            faults.Add(path, "must be a string.");
            return null;
        }
        string text;
        try
        {
            text = value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            faults.Add(path, "has half a surrogate pair.");
            return null;
        }
        if (text.Length < charsMin || text.Length > charsMax)
        {
            faults.Add(path, charsMin > 0
                ? $"must have {charsMin} to {charsMax} characters."
                : $"is longer than {charsMax} characters.");
            return null;
        }
        return text;
    }

    public bool? Flag(string name)
    {
        switch (Get(name)?.ValueKind)
        {
            case null:
                return null;
            case JsonValueKind.True:
                return true;
            case JsonValueKind.False:
                return false;
            default:
                Fail(name, "must be true or false.");
                return null;
        }
    }

    public long? Integer(string name, long min, long max)
    {
        if (Get(name) is not { } value)
        {
            return null;
        }
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= min && number <= max)
        {
            return number;
        }
        Fail(name, $"must be an integer from {min} to {max}.");
        return null;
    }

    public float? Number(string name, float min, float max) =>
        Get(name) is { } value ? NumberOf(value, PathOf(name), faults, min, max) : null;

    public static float? NumberOf(JsonElement value, string path, Faults faults, float min, float max)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= min && number <= max)
        {
            return (float)number;
        }
        faults.Add(path, FormattableString.Invariant($"must be a number from {min} to {max}."));
        return null;
    }

    public Fields? Object(string name) =>
        Get(name, JsonValueKind.Object, "an object") is { } value ? new Fields(value, PathOf(name), faults) : null;

    /// <summary>The elements of an array of at most <paramref name="max"/>, each with its path;
    /// empty if absent or at fault.</summary>
    public IEnumerable<(JsonElement Value, string Path)> Items(string name, int max) =>
        Get(name, JsonValueKind.Array, "an array") is { } array ? ItemsOf(array, PathOf(name), faults, max) : [];

    public static IEnumerable<(JsonElement Value, string Path)> ItemsOf(JsonElement array, string path, Faults faults, int max)
    {
        if (array.GetArrayLength() > max)
        {
            faults.Add(path, $"has more than {max} elements.");
            return [];
        }
        return array.EnumerateArray().Select((value, i) => (value, $"{path}[{i}]"));
    }

    public IEnumerable<JsonProperty> Properties(string name, int max)
    {
        if (Get(name, JsonValueKind.Object, "an object") is not { } value)
        {
            return [];
        }
        if (value.GetPropertyCount() > max)
        {
            Fail(name, $"has more than {max} entries.");
            return [];
        }
        return value.EnumerateObject();
    }
}
