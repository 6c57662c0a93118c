using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>One layer: attention, perhaps attention to an encoder's output, then MLP, each added to the residual
/// stream.</summary>
/// <param name="Parallel">Both take the stream as the layer found it; an MLP without a norm of its own then takes what
/// attention took.</param>
sealed record LayerSpec(AttentionPart Attention, MlpPart Mlp, bool Parallel = false)
{
    public AttentionPart? Cross { get; init; }
}

/// <summary>T5's biases, <c>{Name}.weight</c> [Buckets, heads]: distances up to half of the buckets have one each, farther ones
/// share by logarithm, all from MaxDistance on.</summary>
sealed record RelativeBiasSpec(string Name, int Buckets, int MaxDistance);

/// <summary>Where a part of a layer normalises; null for nowhere.</summary>
/// <param name="Before">What the part takes.</param>
/// <param name="Result">What it gives, before that is added to the stream.</param>
/// <param name="After">The stream, after the part was added.</param>
sealed record NormPlaces(NormSpec? Before = null, NormSpec? Result = null, NormSpec? After = null);

/// <param name="Qkv">Projections that give query, key and value: three, or one that is fused; none if they come from
/// latents.</param>
sealed record AttentionPart(NormPlaces Norms, LinearSpec[] Qkv, LinearSpec Out)
{
    /// <summary>A fused projection has, for each KV head, its queries, its key and its value; else all queries, all keys, all
    /// values.</summary>
    public bool FusedByHead { get; init; }

    public LatentSpec? Latent { get; init; }

    /// <summary>Positions that a query sees, itself included; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>Which of the model's ropes turns queries and keys; null for none.</summary>
    public int? Rope { get; init; }
    public NormSpec? QueryNorm { get; init; }
    public NormSpec? KeyNorm { get; init; }

    /// <summary>Queries, keys and values are cut to [-Clip, Clip]; 0 for not.</summary>
    public float Clip { get; init; }
}

/// <summary>Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): queries, keys and values are widened from narrow
/// latents. The last RopeDim numbers of a head turn; all heads share those of the key.</summary>
/// <param name="QueryUp">[heads][HeadDim], from the latent, or from the stream if there is no QueryDown.</param>
/// <param name="KvDown">KvRank rows of the latent, then RopeDim of the key.</param>
/// <param name="KvUp">[heads][HeadDim - RopeDim of the key, then the value].</param>
/// <param name="Interleaved">The numbers that turn are stored in pairs, and cached in halves.</param>
sealed record LatentSpec(
    LinearSpec? QueryDown,
    NormSpec? QueryNorm,
    LinearSpec QueryUp,
    LinearSpec KvDown,
    NormSpec KvNorm,
    LinearSpec KvUp,
    int KvRank,
    int RopeDim,
    bool Interleaved);

/// <summary>A dense MLP, a mixture of experts, or both side by side.</summary>
/// <param name="DenseGate">[1, Width]: its sigmoid weighs the dense MLP.</param>
sealed record MlpPart(NormPlaces Norms, MlpSpec? Dense, ExpertsSpec? Experts = null, LinearSpec? DenseGate = null);

/// <param name="Width">Between the two halves.</param>
/// <param name="In">Gate and up, apart or in one (gated); or one projection of Width rows.</param>
sealed record MlpSpec(int Width, LinearSpec[] In, LinearSpec Out);

/// <param name="Correction">Parameter [experts], added to the scores for the choice alone; null if there is none.</param>
sealed record ExpertsSpec(RoutingShape Routing, LinearSpec Router, IReadOnlyList<MlpSpec> Experts, string? Correction = null);

/// <summary>A norm over a row, or over each of its groups: x / rms(x) or (x - mean) / sd(x), times weight + Offset, plus
/// bias.</summary>
sealed record NormSpec(NormKind Kind, float Epsilon)
{
    /// <summary>Its parameters are <c>{Name}.weight</c> and, with a bias, <c>{Name}.bias</c>; null if it has none.</summary>
    public string? Name { get; init; }
    public bool Bias { get; init; }
    public float Offset { get; init; }

    /// <summary>Parts of a row that are normalised each by itself (heads).</summary>
    public int Groups { get; init; } = 1;
    public GroupWeights GroupWeights { get; init; }

    public NormSpec At(string name) => this with { Name = name };

    public NormSpec ByHead(string name, int heads, GroupWeights weights = GroupWeights.Shared) =>
        this with { Name = name, Groups = heads, GroupWeights = weights };
}

/// <summary>How the weights of a norm's groups are stored.</summary>
enum GroupWeights
{
    /// <summary>One vector for all groups.</summary>
    Shared,

    /// <summary>One tensor [groups, width of a group].</summary>
    Stacked,

    /// <summary>One vector each, <c>{Name}.{group}</c>.</summary>
    Numbered,
}

enum NormKind
{
    /// <summary>x / rms(x).</summary>
    Rms,

    /// <summary>(x - mean(x)) / sd(x).</summary>
    Layer,
}

/// <summary>A linear map by its parameters' names, <c>{Name}.weight</c> and, with a bias, <c>{Name}.bias</c>.</summary>
/// <param name="Rows">Output features.</param>
/// <param name="Transposed">Stored as [inputs, outputs], as GPT-2's Conv1D is.</param>
readonly record struct LinearSpec(string Name, int Rows, bool Bias = false, bool Transposed = false)
{
    /// <summary>Matrices in the one tensor [Of, Rows, inputs], and which of them this is; 0 if it is a tensor of its
    /// own.</summary>
    public int Of { get; init; }
    public int Index { get; init; }
}
