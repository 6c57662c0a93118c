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
    public required int HeadDim { get; init; }
    public required NormKind Norm { get; init; }
    public required float NormEpsilon { get; init; }
    public required MlpKind Mlp { get; init; }

    /// <summary>Width between the MLP's two halves.</summary>
    public required int MlpWidth { get; init; }

    /// <summary>Null if positions are not rotated into queries and keys.</summary>
    public RopeSpec? Rope { get; init; }

    /// <summary>Factor of the scores, usually 1 / sqrt(HeadDim).</summary>
    public required float AttentionScale { get; init; }

    /// <summary>One per layer, in order.</summary>
    public required IReadOnlyList<LayerSpec> Layers { get; init; }

    /// <summary>Parameter of the token embeddings, [VocabularySize, Width].</summary>
    public required string Embedding { get; init; }

    /// <summary>Parameter of learned position embeddings, [ContextLength, Width]; null if there are none.</summary>
    public string? PositionEmbedding { get; init; }
    public required string FinalNorm { get; init; }

    /// <summary>Parameter of the output head, [VocabularySize, Width]: the embedding's own name when they are tied.</summary>
    public required string Head { get; init; }

    public int QueryWidth => Heads * HeadDim;
    public int KvWidth => KvHeads * HeadDim;

    /// <summary>Width of a row that holds query, key and value side by side.</summary>
    public int QkvWidth => QueryWidth + 2 * KvWidth;

    /// <summary>Outputs of the MLP's first half.</summary>
    public int MlpInWidth => Mlp == MlpKind.GatedSilu ? 2 * MlpWidth : MlpWidth;
}

/// <summary>One layer: norm, attention, residual, norm, MLP, residual. Norms are named by their prefix.</summary>
/// <param name="Window">Positions that a query sees, itself included; 0 for all.</param>
/// <param name="Qkv">Projections that give query, key and value side by side: three, or one that is fused.</param>
/// <param name="MlpIn">Gate and up side by side (gated), or one projection.</param>
sealed record LayerSpec(
    int Window,
    string AttentionNorm,
    LinearSpec[] Qkv,
    LinearSpec AttentionOut,
    string MlpNorm,
    LinearSpec[] MlpIn,
    LinearSpec MlpOut);

/// <summary>A linear map by its parameters' names, <c>{Name}.weight</c> and, with a bias, <c>{Name}.bias</c>.</summary>
/// <param name="Rows">Output features.</param>
/// <param name="Transposed">Stored as [inputs, outputs], as GPT-2's Conv1D is.</param>
readonly record struct LinearSpec(string Name, int Rows, bool Bias = false, bool Transposed = false);

enum NormKind
{
    /// <summary>x / rms(x) * weight.</summary>
    Rms,

    /// <summary>(x - mean(x)) / sd(x) * weight + bias.</summary>
    Layer,
}

enum MlpKind
{
    /// <summary>silu(gate) * up.</summary>
    GatedSilu,

    /// <summary>The tanh approximation of GELU, transformers' gelu_new.</summary>
    GeluTanh,
}
