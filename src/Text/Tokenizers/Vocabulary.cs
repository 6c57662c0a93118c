namespace Hearth.Text.Tokenizers;

/// <summary>The model's tokens by text and by id.</summary>
sealed class Vocabulary
{
    readonly Dictionary<string, int> _idOf;
    readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idOfSpan;
    readonly string?[] _tokenOf;

    Vocabulary(Dictionary<string, int> idOf, string?[] tokenOf)
    {
        _idOf = idOf;
        _idOfSpan = idOf.GetAlternateLookup<ReadOnlySpan<char>>();
        _tokenOf = tokenOf;
    }

    /// <summary>The highest id plus one.</summary>
    internal int Size => _tokenOf.Length;

    internal string? TokenOf(int id) => (uint)id < (uint)_tokenOf.Length ? _tokenOf[id] : null;

    internal bool TryGetId(ReadOnlySpan<char> token, out int id) => _idOfSpan.TryGetValue(token, out id);

    internal int? IdOf(string token) => _idOf.TryGetValue(token, out var id) ? id : null;

    internal IEnumerable<KeyValuePair<string, int>> Tokens => _idOf;

    /// <summary>Reads <c>{"token": id, ..}</c>.</summary>
    internal static Vocabulary Read(JsonField field)
    {
        var idOf = new Dictionary<string, int>();
        var idMax = -1;
        foreach (var (token, entry) in field.Members())
        {
            var id = entry.Number(Limits.Tokenizer.TokensMax - 1);
            if (!idOf.TryAdd(token, id))
            {
                throw entry.Error("is given twice");
            }

            idMax = Math.Max(idMax, id);
        }

        return new(idOf, ById(field, idOf, idMax));
    }

    static string?[] ById(JsonField field, Dictionary<string, int> idOf, int idMax)
    {
        var tokenOf = new string?[idMax + 1];
        foreach (var (token, id) in idOf)
        {
            tokenOf[id] = tokenOf[id] is not { } other ? token
                : throw field.Error($"gives id {id} to both '{other}' and '{token}'");
        }

        return tokenOf;
    }
}
