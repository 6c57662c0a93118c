using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// Writes a SentencePiece model as the tokenizer.json that transformers' converters make of it (convert_slow_tokenizer.py), so
/// that one reader serves both.
/// </summary>
sealed class SentencePieceConverter
{
    const int T5ExtraIds = 100;
    const int XlmRobertaUnknown = 3;
    readonly SentencePieceModel _model;
    readonly SentencePieceSteps _steps;
    readonly List<ScoredPiece> _pieces;
    readonly int _unknown;

    SentencePieceConverter(SentencePieceModel model, JsonField? config)
    {
        _model = model;
        _pieces = [.. model.Pieces];
        _unknown = model.UnknownId;
        _steps = new(model, config, _pieces);
        switch (_steps.Family)
        {
            case SentencePieceFamily.Gemma:
                GiveTab();
                break;
            case SentencePieceFamily.T5:
                var extra = config?["extra_ids"].NumberOr(T5ExtraIds, Limits.Tokenizer.AddedTokensMax) ?? T5ExtraIds;
                _pieces.AddRange(Enumerable.Range(0, extra).Reverse().Select(i => Control($"<extra_id_{i}>")));
                break;
            case SentencePieceFamily.XlmRoberta:
                _unknown = XlmRobertaUnknown;
                _pieces.RemoveRange(0, Math.Min(3, _pieces.Count));
                _pieces.InsertRange(0, [Control("<s>"), Control("<pad>"), Control("</s>"), Control("<unk>")]);
                _pieces.Add(Control("<mask>"));
                break;
        }
    }

    /// <summary>Reads the file as a tokenizer.json; null when there is none.</summary>
    /// <param name="config">tokenizer_config.json, if there is one.</param>
    internal static JsonFile? Read(string path, JsonField? config)
        => PlainFile.Read(path, Limits.Tokenizer.FileBytesMax) is { } bytes
            ? JsonFile.Parse(path, new SentencePieceConverter(SentencePieceModel.Parse(path, bytes), config).Write()) : null;

    static ScoredPiece Control(string text) => new(text, 0, PieceType.Control);

    /// <summary>Gemma's early models have no tab but its byte.</summary>
    void GiveTab()
    {
        var tab = _pieces.FindIndex(piece => piece.Text == "<0x09>");
        if (tab >= 0 && !_pieces.Exists(piece => piece.Text == "\t"))
        {
            _pieces[tab] = _pieces[tab] with { Text = "\t" };
        }
    }

    ReadOnlyMemory<byte> Write()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartObject();
        WriteStep(writer, "normalizer", _steps.Normalizer());
        WriteStep(writer, "pre_tokenizer", _steps.PreTokenizer());
        WriteStep(writer, "post_processor", _steps.PostProcessor());
        WriteStep(writer, "decoder", _steps.Decoder());
        WriteAddedTokens(writer);
        WriteModel(writer);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenMemory;
    }

    static void WriteStep(Utf8JsonWriter writer, string name, JsonNode? step)
    {
        writer.WritePropertyName(name);
        if (step is null)
        {
            writer.WriteNullValue();
        }
        else
        {
            step.WriteTo(writer);
        }
    }

    void WriteAddedTokens(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("added_tokens");
        for (var id = 0; id < _pieces.Count; id++)
        {
            var (text, _, type) = _pieces[id];
            if (type is PieceType.Unknown or PieceType.Control or PieceType.UserDefined)
            {
                writer.WriteStartObject();
                writer.WriteNumber("id", id);
                writer.WriteString("content", text);
                writer.WriteBoolean("special", type != PieceType.UserDefined || text is "<start_of_turn>" or "<end_of_turn>");
                writer.WriteEndObject();
            }
        }

        writer.WriteEndArray();
    }

    void WriteModel(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("model");
        writer.WriteString("type", _model.IsUnigram ? "Unigram" : "BPE");
        writer.WriteBoolean("byte_fallback", _steps.FallsBackToBytes);
        if (_model.IsUnigram)
        {
            writer.WriteNumber("unk_id", _unknown);
            WriteScored(writer);
        }
        else
        {
            writer.WriteBoolean("fuse_unk", true);
            writer.WriteString("unk_token", _pieces[_unknown].Text);
            WriteMerged(writer);
        }

        writer.WriteEndObject();
    }

    void WriteScored(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("vocab");
        foreach (var piece in _pieces)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(piece.Text);
            writer.WriteNumberValue((double)piece.Score);
            writer.WriteEndArray();
        }

        writer.WriteEndArray();
    }

    void WriteMerged(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("vocab");
        for (var id = 0; id < _pieces.Count; id++)
        {
            writer.WriteNumber(_pieces[id].Text, id);
        }

        writer.WriteEndObject();
        writer.WriteStartArray("merges");
        foreach (var (left, right) in PieceMerges.Of(_model.File, _pieces))
        {
            writer.WriteStartArray();
            writer.WriteStringValue(left);
            writer.WriteStringValue(right);
            writer.WriteEndArray();
        }

        writer.WriteEndArray();
    }
}
