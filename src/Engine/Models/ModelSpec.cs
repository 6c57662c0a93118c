using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>One decoder in the words of the forward pass: what a family's config.json says, with nothing left to guess.
/// A model that needs more than these words needs a new word here, never a branch by its name.</summary>
sealed record ModelSpec
{
    /// <summary>config.json's model_type.</summary>
    public required string Family { get; init; }
    public required int VocabularySize { get; init; }

    /// <summary>Most positions of a sequence.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int Width { get; init; }
    public required int Heads { get; init; }

    /// <summary>Heads of keys and values: a divisor of Heads.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Width of a head of queries and keys.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Width of a head of values, if it is another.</summary>
    public int? ValueDim { get; init; }

    /// <summary>Factor of the scores, usually 1 / sqrt(HeadDim).</summary>
    public required float AttentionScale { get; init; }

    /// <summary>Scores become cap * tanh(score / cap); 0 for none.</summary>
    public float AttentionCap { get; init; }

    /// <summary>By query head: what a score loses per position between key and query (ALiBi); null if nothing.</summary>
    public float[]? Slopes { get; init; }

    /// <summary>What a score gets by the distance between key and query (T5); null if nothing.</summary>
    public RelativeBiasSpec? RelativeBias { get; init; }

    /// <summary>Queries see all keys: an encoder.</summary>
    public bool Bidirectional { get; init; }

    /// <summary>Whose output the layers' cross attention reads; null if there is none.</summary>
    public ModelSpec? Encoder { get; init; }

    /// <summary>How positions turn queries and keys: layers name theirs by index.</summary>
    public IReadOnlyList<RopeSpec> Ropes { get; init; } = [];
    public required ActivationKind Activation { get; init; }

    /// <summary>What attention and MLP give counts so much in the residual stream.</summary>
    public float ResidualScale { get; init; } = 1;

    /// <summary>One per layer, in order.</summary>
    public required IReadOnlyList<LayerSpec> Layers { get; init; }

    /// <summary>The token embeddings: <c>{Embedding}.weight</c>, [VocabularySize, TableWidth].</summary>
    public required string Embedding { get; init; }

    /// <summary>Factor of the token embeddings.</summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>From embeddings of another width to the stream; null if they have its width.</summary>
    public LinearSpec? EmbeddingOut { get; init; }

    /// <summary>Width of the token embeddings, if not the stream's.</summary>
    public int? EmbeddingWidth { get; init; }

    /// <summary>Learned position embeddings, <c>{PositionEmbedding}.weight</c>, [PositionsFirst + ContextLength, Width]; null
    /// if there are none.</summary>
    public string? PositionEmbedding { get; init; }

    /// <summary>Rows of the position embeddings that stand before position 0.</summary>
    public int PositionsFirst { get; init; }

    /// <summary>Embeddings of token types, <c>{TypeEmbedding}.weight</c>, [Types, Width]; null if there are none.</summary>
    public string? TypeEmbedding { get; init; }
    public int Types { get; init; }
    public NormSpec? EmbeddingNorm { get; init; }
    public NormSpec? FinalNorm { get; init; }

    /// <summary>From the stream to what the output head takes, if that is not the stream.</summary>
    public LinearSpec? HeadIn { get; init; }
    public ActivationKind? HeadActivation { get; init; }
    public NormSpec? HeadNorm { get; init; }

    /// <summary>The output head, [VocabularySize, TableWidth]: by the embedding's name when they are tied. Null for an encoder
    /// that gives its stream.</summary>
    public required LinearSpec? Head { get; init; }

    /// <summary>The head's bias where it has a name of its own: [VocabularySize], or [1, VocabularySize].</summary>
    public string? HeadBias { get; init; }

    /// <summary>From the first row to a summary of all, through a tanh; null if there is none.</summary>
    public LinearSpec? Pooler { get; init; }
    public float LogitScale { get; init; } = 1;

    /// <summary>Logits become cap * tanh(logit / cap); 0 for none.</summary>
    public float LogitCap { get; init; }

    public int QueryWidth => Heads * HeadDim;
    public int KeyWidth => KvHeads * HeadDim;
    public int ValueWidth => KvHeads * (ValueDim ?? HeadDim);

    /// <summary>What attention gives.</summary>
    public int AttendedWidth => Heads * (ValueDim ?? HeadDim);
    public int TableWidth => EmbeddingWidth ?? Width;
}
