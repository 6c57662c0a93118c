namespace Hearth.Text.Tokenizers;

/// <summary>
/// BERT's model: from the start of a word always the longest token, within a word one that is written with a prefix (Wu et al.
/// 2016). A word that does not come out even is one unknown token.
/// </summary>
sealed class WordPieceModel : TokenModel
{
    const int WordCharactersMaxDefault = 100;
    readonly Trie _starts;
    readonly Trie _continuations;
    readonly int _unknown;
    readonly int _charactersMax;

    internal WordPieceModel(JsonField field, Vocabulary vocabulary, IReadOnlySet<int> isControl)
    {
        Vocabulary = vocabulary;
        _unknown = vocabulary.RequiredIdOf(field["unk_token"]);
        _charactersMax = field["max_input_chars_per_word"].NumberOr(WordCharactersMaxDefault, int.MaxValue);
        var prefix = field["continuing_subword_prefix"].TextOr("##");
        var tokens = vocabulary.Tokens.Where(entry => !isControl.Contains(entry.Value)).ToList();
        _starts = new(tokens);
        _continuations = new(tokens.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal))
            .Select(entry => KeyValuePair.Create(entry.Key[prefix.Length..], entry.Value)));
    }

    internal override Vocabulary Vocabulary { get; }

    internal override PieceEncoder Open() => new Encoder(this);

    void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        var first = ids.Count;
        var isTooLong = CharactersOf(word) > _charactersMax;
        for (var start = 0; start < word.Length;)
        {
            var id = (start == 0 ? _starts : _continuations).Longest(word[start..], out var length);
            if (id == Trie.None || isTooLong)
            {
                ids.RemoveRange(first, ids.Count - first);
                ids.Add(_unknown);
                return;
            }

            ids.Add(id);
            start += length;
        }
    }

    static int CharactersOf(ReadOnlySpan<char> word)
    {
        var count = word.Length;
        foreach (var c in word)
        {
            count -= char.IsLowSurrogate(c) ? 1 : 0;
        }

        return count;
    }

    sealed class Encoder(WordPieceModel model) : PieceEncoder(model.Cache)
    {
        protected override void EncodeAnew(ReadOnlySpan<char> piece, List<int> ids) => model.EncodeWord(piece, ids);
    }
}

/// <summary>A vocabulary of whole words; any other word is one unknown token.</summary>
sealed class WordLevelModel : TokenModel
{
    readonly int _unknown;
    readonly IReadOnlySet<int> _isControl;

    internal WordLevelModel(JsonField field, Vocabulary vocabulary, IReadOnlySet<int> isControl)
    {
        Vocabulary = vocabulary;
        _isControl = isControl;
        _unknown = vocabulary.RequiredIdOf(field["unk_token"]);
    }

    internal override Vocabulary Vocabulary { get; }

    internal override PieceEncoder Open() => new Encoder(this);

    sealed class Encoder(WordLevelModel model) : PieceEncoder(model.Cache)
    {
        protected override void EncodeAnew(ReadOnlySpan<char> piece, List<int> ids)
            => ids.Add(model.Vocabulary.TryGetId(piece, out var id) && !model._isControl.Contains(id) ? id : model._unknown);
    }
}
