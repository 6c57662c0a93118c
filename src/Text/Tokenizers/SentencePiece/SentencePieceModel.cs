namespace Hearth.Text.Tokenizers;

/// <summary>What a piece is for; the values are those of the file.</summary>
enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

readonly record struct ScoredPiece(string Text, float Score, PieceType Type);

/// <summary>A <c>tokenizer.model</c> file: SentencePiece's <c>ModelProto</c>, as far as tokenizing needs it.</summary>
sealed class SentencePieceModel
{
    internal required string File { get; init; }
    internal List<ScoredPiece> Pieces { get; } = [];

    /// <summary>Unigram, or merging by score.</summary>
    internal bool IsUnigram { get; private set; } = true;
    internal int UnknownId { get; private set; }
    internal bool FallsBackToBytes { get; private set; }

    /// <summary>The compiled table of replacements; empty when the model has none.</summary>
    internal byte[] Charsmap { get; private set; } = [];

    /// <exception cref="TokenizerException">The file is no such model.</exception>
    internal static SentencePieceModel Parse(string file, ReadOnlySpan<byte> bytes)
    {
        var model = new SentencePieceModel { File = file };
        var reader = new ProtobufReader(file, "", bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    model.AddPiece(reader.Message($"pieces[{model.Pieces.Count}]"));
                    break;
                case 2:
                    model.ReadTrainer(reader.Message("trainer_spec"));
                    break;
                case 3:
                    model.ReadNormalizer(reader.Message("normalizer_spec"));
                    break;
            }
        }

        if ((uint)model.UnknownId >= model.Pieces.Count)
        {
            throw new TokenizerException(
                file, "trainer_spec.unk_id", $"is {model.UnknownId}, but the model has {model.Pieces.Count} pieces");
        }

        return model;
    }

    void AddPiece(ProtobufReader reader)
    {
        var (text, score, type) = ("", 0f, PieceType.Normal);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    text = reader.Text("piece");
                    break;
                case 2:
                    score = reader.Float;
                    break;
                case 3:
                    type = (PieceType)reader.Int;
                    break;
            }
        }

        var problem = Pieces.Count >= Limits.Tokenizer.TokensMax ? $"is one too many: at most {Pieces.Count} are supported"
            : text.Length is 0 or > Limits.Tokenizer.PieceCharactersMax
                ? $"has {text.Length} characters; 1 to {Limits.Tokenizer.PieceCharactersMax} are supported"
            : !float.IsFinite(score) ? "has a score that is not finite" : null;
        Pieces.Add(problem is null ? new(text, score, type)
            : throw new TokenizerException(File, $"pieces[{Pieces.Count}]", problem));
    }

    void ReadTrainer(ProtobufReader reader)
    {
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    IsUnigram = reader.Int switch
                    {
                        1 => true,
                        2 => false,
                        var type => throw new TokenizerException(
                            File, "trainer_spec.model_type", $"{type} is neither unigram (1) nor BPE (2)"),
                    };
                    break;
                case 35:
                    FallsBackToBytes = reader.Flag;
                    break;
                case 40:
                    UnknownId = reader.Int;
                    break;
            }
        }
    }

    void ReadNormalizer(ProtobufReader reader)
    {
        while (reader.Next())
        {
            if (reader.Field == 2)
            {
                Charsmap = reader.Bytes.ToArray();
            }
        }
    }
}
