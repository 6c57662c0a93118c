using System.Runtime.InteropServices;
using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>Turns pieces of text into ids: what tokenizer.json calls its model.</summary>
abstract class TokenModel
{
    internal abstract Vocabulary Vocabulary { get; }

    protected PieceCache Cache { get; } = new();

    /// <summary>A worker for one text; it keeps scratch space and is used by one thread.</summary>
    internal abstract PieceEncoder Open();

    /// <summary>The model's vocabulary, which other parts of the file are read with.</summary>
    internal static Vocabulary ReadVocabulary(JsonField field) => TypeOf(field) switch
    {
        "Unigram" => Vocabulary.ReadScored(field["vocab"]),
        "BPE" or "WordPiece" or "WordLevel" => Vocabulary.Read(field["vocab"]),
        var type => throw field["type"].Error($"tokenizer model type '{type}' is not supported"),
    };

    /// <param name="bytesOfText">Whether pieces come as plain text of which the model is to merge the bytes.</param>
    /// <param name="isControl">Ids that no text may produce by itself.</param>
    internal static TokenModel Read(JsonField field, Vocabulary vocabulary, bool bytesOfText, IReadOnlySet<int> isControl)
        => TypeOf(field) switch
        {
            "BPE" => new BpeModel(field, vocabulary, bytesOfText, isControl),
            "Unigram" => new UnigramModel(field, vocabulary, isControl),
            "WordPiece" => new WordPieceModel(field, vocabulary, isControl),
            _ => new WordLevelModel(field, vocabulary, isControl),
        };

    /// <summary>Whether the model can merge the bytes of plain text by itself.</summary>
    internal static bool MergesBytes(JsonField field) => TypeOf(field) == "BPE";

    /// <summary>Old files leave the type out; each has a member that the others lack.</summary>
    static string TypeOf(JsonField field) => !field["type"].IsNull ? field["type"].Text()
        : !field["merges"].IsNull ? "BPE"
        : field["vocab"].Kind == JsonValueKind.Array ? "Unigram"
        : !field["max_input_chars_per_word"].IsNull ? "WordPiece"
        : field["type"].Text();
}

/// <summary>Encodes the pieces of one text; short pieces seen before come from the cache.</summary>
abstract class PieceEncoder(PieceCache cache)
{
    internal virtual void Encode(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (piece.Length > Limits.Tokenizer.CachedPieceCharactersMax)
        {
            EncodeAnew(piece, ids);
        }
        else if (!cache.TryGet(piece, ids))
        {
            var start = ids.Count;
            EncodeAnew(piece, ids);
            cache.Set(piece, CollectionsMarshal.AsSpan(ids)[start..]);
        }
    }

    protected abstract void EncodeAnew(ReadOnlySpan<char> piece, List<int> ids);
}
