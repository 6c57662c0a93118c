namespace Hearth.Text.Tokenizers;

/// <summary>Turns pieces of text into ids: what tokenizer.json calls its model.</summary>
abstract class TokenModel
{
    /// <summary>Token to id.</summary>
    internal abstract Vocabulary Vocabulary { get; }

    /// <summary>A worker for one text; it keeps scratch space and is used by one thread.</summary>
    internal abstract PieceEncoder Open();

    /// <param name="bytesOfText">Whether pieces come as plain text of which the model is to merge the bytes.</param>
    /// <param name="isControl">Ids that no text may produce by itself.</param>
    internal static TokenModel Read(JsonField field, bool bytesOfText, IReadOnlySet<int> isControl)
    {
        var type = field["type"].IsNull && !field["merges"].IsNull ? "BPE" : field["type"].Text();
        return type switch
        {
            "BPE" => new BpeModel(field, bytesOfText, isControl),
            _ => throw field["type"].Error($"tokenizer model type '{type}' is not supported yet"),
        };
    }
}

/// <summary>Encodes the pieces of one text.</summary>
abstract class PieceEncoder
{
    internal abstract void Encode(ReadOnlySpan<char> piece, List<int> ids);
}
