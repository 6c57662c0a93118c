namespace Hearth.Contracts;

/// <summary>What the layers above the engine know of a model.</summary>
public sealed record ModelCard
{
    /// <summary>The name that clients ask for.</summary>
    public required string Name { get; init; }

    /// <summary>The checkpoint's directory: tokenizer and chat template are read from there too.</summary>
    public required string Directory { get; init; }

    /// <summary>llama, mistral, qwen2, gpt2, …</summary>
    public required string Family { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Most tokens of prompt and reply together.</summary>
    public required int ContextLength { get; init; }

    public required long Parameters { get; init; }

    /// <summary>Ids that end a reply.</summary>
    public required IReadOnlyList<int> EosTokens { get; init; }

    /// <summary>Hash of everything that a cache's content depends on: weights, config, KV layout and type.</summary>
    public required string Fingerprint { get; init; }

    public required DateTimeOffset Created { get; init; }
}
