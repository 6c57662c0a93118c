using System.Globalization;

namespace Hearth.Text.Tokenizers;

/// <summary>The model's tokens by text and by id.</summary>
sealed class Vocabulary
{
    internal const int None = -1;
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

    /// <summary>The id of the token that the field names.</summary>
    internal int RequiredIdOf(JsonField field)
        => IdOf(field.Text()) ?? throw field.Error($"'{field.Text()}' is not in the vocabulary");

    /// <summary>Ids of '&lt;0x00&gt;' to '&lt;0xFF&gt;', <see cref="None"/> where there is no such token.</summary>
    internal int[] IdsOfByteTokens(IReadOnlySet<int> isControl)
    {
        var ids = new int[256];
        for (var b = 0; b < ids.Length; b++)
        {
            var known = TryGetId(string.Create(CultureInfo.InvariantCulture, $"<0x{b:X2}>"), out var id);
            ids[b] = known && !isControl.Contains(id) ? id : None;
        }

        return ids;
    }

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

    /// <summary>Reads <c>[["token", score], ..]</c>; the place is the id. A token that comes twice has the last one.</summary>
    internal static Vocabulary ReadScored(JsonField field)
    {
        var tokenOf = new List<string?>();
        var idOf = new Dictionary<string, int>();
        foreach (var entry in field.Items(Limits.Tokenizer.TokensMax))
        {
            var token = entry[0].Text();
            idOf[token] = tokenOf.Count;
            tokenOf.Add(token);
        }

        return new(idOf, [.. tokenOf]);
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
