namespace Hearth.Contracts;

/// <summary>How the next token is chosen. The defaults change nothing: plain sampling at temperature 1.</summary>
public sealed record SamplingOptions
{
    /// <summary>0 is greedy.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>0 is off. Ties with the k-th score are kept.</summary>
    public int TopK { get; init; }

    /// <summary>1 is off.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>0 is off.</summary>
    public float MinP { get; init; }

    /// <summary>1 is off. Counts the prompt too, as transformers does.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>OpenAI's, over the reply's tokens.</summary>
    public float FrequencyPenalty { get; init; }
    public float PresencePenalty { get; init; }

    /// <summary>Added to the logits; null if none.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Null lets the silo draw one. With a seed a reply does not depend on batch, cache or chunking.</summary>
    public long? Seed { get; init; }

    /// <summary>Alternatives reported per token, 0 to 20; the chosen token's own log-probability always comes.</summary>
    public int TopLogprobs { get; init; }
}
