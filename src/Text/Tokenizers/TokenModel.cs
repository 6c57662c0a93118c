namespace Hearth.Text.Tokenizers;

/// <summary>Turns pieces of text into ids: what tokenizer.json calls its model.</summary>
abstract class TokenModel
{
    internal abstract Vocabulary Vocabulary { get; }

    /// <summary>A worker for one text; it keeps scratch space and is used by one thread.</summary>
    internal abstract PieceEncoder Open();

    /// <summary>The model's vocabulary, which other parts of the file are read with.</summary>
    internal static Vocabulary ReadVocabulary(JsonField field) => TypeOf(field) switch
    {
        "BPE" => Vocabulary.Read(field["vocab"]),
        var type => throw field["type"].Error($"tokenizer model type '{type}' is not supported yet"),
    };

    /// <param name="bytesOfText">Whether pieces come as plain text of which the model is to merge the bytes.</param>
    /// <param name="isControl">Ids that no text may produce by itself.</param>
    internal static TokenModel Read(JsonField field, Vocabulary vocabulary, bool bytesOfText, IReadOnlySet<int> isControl)
        => new BpeModel(field, vocabulary, bytesOfText, isControl);

    /// <summary>Old files leave the type out; only BPE has merges.</summary>
    static string TypeOf(JsonField field)
        => field["type"].IsNull && !field["merges"].IsNull ? "BPE" : field["type"].Text();
}

/// <summary>Encodes the pieces of one text.</summary>
abstract class PieceEncoder
{
    internal abstract void Encode(ReadOnlySpan<char> piece, List<int> ids);
}
