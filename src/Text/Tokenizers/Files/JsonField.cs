using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>A value of a JSON file that knows its path, so that every refusal can name it.</summary>
/// <param name="Parent">The path of what holds the value.</param>
/// <param name="Name">Its name there, empty for the file's root, or null where it is item <paramref name="Index"/>.</param>
readonly record struct JsonField(string File, string Parent, string? Name, int Index, JsonElement Value)
{
    internal static JsonField Root(string file, JsonElement value) => new(file, "", "", -1, value);

    /// <summary>Put together on demand: there are hundreds of thousands of fields, and few errors.</summary>
    internal string Path => Name is null ? $"{Parent}[{Index}]" : Parent.Length == 0 ? Name : $"{Parent}.{Name}";

    internal JsonValueKind Kind => Value.ValueKind;
    internal bool IsNull => Kind is JsonValueKind.Null or JsonValueKind.Undefined;

    internal TokenizerException Error(string problem, Exception? cause = null) => new(File, Path, problem, cause);

    /// <summary>The member of that name, or a null field when it is absent.</summary>
    internal JsonField this[string name]
    {
        get
        {
            Expect(JsonValueKind.Object);
            return new(File, Path, name, -1, Value.TryGetProperty(name, out var member) ? member : default);
        }
    }

    /// <summary>The item at that place, or a null field when there are fewer.</summary>
    internal JsonField this[int index]
    {
        get
        {
            Expect(JsonValueKind.Array);
            return new(File, Path, null, index, index < Value.GetArrayLength() ? Value[index] : default);
        }
    }

    internal IEnumerable<JsonField> Items(int countMax)
    {
        Expect(JsonValueKind.Array);
        if (Value.GetArrayLength() > countMax)
        {
            throw Error($"has {Value.GetArrayLength()} entries; at most {countMax} are supported");
        }

        return Enumerate(this);

        static IEnumerable<JsonField> Enumerate(JsonField array)
        {
            var index = 0;
            var path = array.Path;
            foreach (var item in array.Value.EnumerateArray())
            {
                yield return new(array.File, path, null, index++, item);
            }
        }
    }

    /// <summary>The members by name; a name may come twice.</summary>
    internal IEnumerable<(string Name, JsonField Member)> Members()
    {
        Expect(JsonValueKind.Object);
        var path = Path;
        foreach (var member in Value.EnumerateObject())
        {
            var name = NameOf(member);
            if (name.Length > Limits.Tokenizer.TokenCharactersMax)
            {
                throw Error($"has a name of {name.Length} characters; at most {Limits.Tokenizer.TokenCharactersMax} will do");
            }

            yield return (name, new(File, path, name, -1, member.Value));
        }
    }

    internal string Text(int charactersMax = Limits.Tokenizer.TokenCharactersMax)
    {
        Expect(JsonValueKind.String);
        var text = Unescaped();
        return text.Length <= charactersMax ? text
            : throw Error($"has {text.Length} characters; at most {charactersMax} are supported");
    }

    internal string TextOr(string whenAbsent) => IsNull ? whenAbsent : Text();

    internal bool Flag(bool whenAbsent = false) => Kind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null or JsonValueKind.Undefined => whenAbsent,
        _ => throw Error("must be true or false"),
    };

    internal int Number(int max)
    {
        Expect(JsonValueKind.Number);
        return Value.TryGetInt32(out var number) && number >= 0 && number <= max ? number
            : throw Error($"must be a whole number from 0 to {max}, not {Value.GetRawText()}");
    }

    internal int NumberOr(int whenAbsent, int max) => IsNull ? whenAbsent : Number(max);

    internal void Expect(JsonValueKind kind)
    {
        if (Kind != kind)
        {
            throw Error(IsNull ? "is missing" : $"must be of kind {kind}, not {Kind}");
        }
    }

    string Unescaped()
    {
        try
        {
            return Value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw Error("is not valid Unicode text", e);
        }
    }

    string NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException e)
        {
            throw Error("holds a name that is not valid Unicode text", e);
        }
    }
}
