using Hearth.Engine.Checkpoints;
using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Golden.Tests;

/// <summary>docs/models.md: what a family has is read off its spec.</summary>
static class ModelTable
{
    const string Head = """
        # Models

        The families that are served, by config.json's `model_type`. Each golden case is a small random model with reference
        outputs of Hugging Face transformers, which `tests/Golden` holds to 1e-4 (see [fidelity](fidelity.md)). What a case has
        is read off its `ModelSpec`; other checkpoints of the family may have more or less of it, as their config.json says.

        Every family's cache is paged, kept in f32, f16 or bf16 (`--kv-type`), shared between conversations by prefix, and goes
        to host memory and to the store exactly or, with `--spill-int8`, in int8. Layers with a sliding window attend to the
        window's keys only. A token takes, in all layers, *layers x KV heads x (key width + value width)* numbers: the last
        column is that of the case in f16.

        BERT, RoBERTa, T5 and BART are computed by the engine and held to the same outputs, but have no endpoint yet.

        This page is made from the code: `HEARTH_WRITE_DOCS=1` and `HEARTH_GOLDEN` with the whole reference set, then
        `dotnet run --project tests/Golden`, writes it; a test holds the two equal, for the cases that are there.

        | family | golden case | what it has | attention | KV bytes per token |
        | --- | --- | --- | --- | --- |

        """;

    public static string Page(IEnumerable<string> models) =>
        Head + string.Concat(models.Select(Row).Order(StringComparer.Ordinal).Select(row => row + "\n"));

    public static string Row(string model)
    {
        using var checkpoint = Checkpoint.Open(GoldenFolder.At("models", model));
        var spec = Family.Describe(checkpoint);
        var layout = new KvLayout(spec.Layers.Count, spec.KvHeads, spec.HeadDim, DType.F16, spec.ValueDim);
        return $"| {spec.Family} | {model} | {string.Join(", ", Words(spec))} | {Attention(spec)} | {layout.ExportBytes(1)} |";
    }

    static IEnumerable<string> Words(ModelSpec spec) =>
    [
        .. Positions(spec),
        .. Norms(spec),
        .. Mlp(spec),
        .. When(spec.EmbeddingScale != 1, "scaled embeddings"),
        .. When(spec.EmbeddingWidth is not null, "narrow embeddings"),
        .. When(spec.ResidualScale != 1, "scaled residuals"),
        .. When(spec.LogitScale != 1, "scaled logits"),
        .. When(spec.LogitCap > 0, "capped logits"),
        .. When(spec.Head?.Name == spec.Embedding, "tied head"),
    ];

    static IEnumerable<string> Positions(ModelSpec spec)
    {
        var turning = spec.Layers.Where(l => l.Attention.Rope is not null).ToArray();
        var ropes = turning.Select(l => spec.Ropes[l.Attention.Rope!.Value]).Distinct().ToArray();
        foreach (var rope in ropes)
        {
            var kind = rope.Kind == RopeKind.Plain ? "rope" : $"{rope.Kind.ToString().ToLowerInvariant()} rope";
            var part = rope.Dim == spec.HeadDim ? "" : $" of {rope.Dim} in {spec.HeadDim}";
            yield return kind + part + (rope.Style == RopeStyle.Interleaved ? ", interleaved" : "");
        }
        if (ropes.Length > 0 && turning.Length < spec.Layers.Count)
            yield return $"no positions in {spec.Layers.Count - turning.Length} of {spec.Layers.Count} layers";
        if (spec.Slopes is not null)
            yield return "ALiBi";
        if (spec.PositionEmbedding is not null)
            yield return "learned positions";
    }

    static IEnumerable<string> Norms(ModelSpec spec)
    {
        var (attention, mlp) = (spec.Layers[0].Attention, spec.Layers[0].Mlp);
        NormSpec?[] all = [attention.Norms.Before, attention.Norms.Result, attention.Norms.After];
        var norm = all.First(n => n is not null)!;
        var name = norm.Kind == NormKind.Rms ? "RMS norms" : "layer norms";
        yield return name + (norm.Offset != 0 ? " of 1 + weight" : norm.Name is null ? " without parameters" : "");
        if (attention.Norms.Result is not null)
            yield return attention.Norms.Before is null ? "behind each part" : "before and behind each part";
        if (attention.Norms.After is not null)
            yield return "behind each sum";
        if (spec.Layers[0].Parallel)
            yield return mlp.Norms.Before is null ? "parallel parts, one norm" : "parallel parts, two norms";
        if (attention.QueryNorm is { } queries)
            yield return queries.Groups > 1 ? "query and key norms by head" : "query and key norms";
    }

    static IEnumerable<string> Mlp(ModelSpec spec)
    {
        var first = spec.Layers.Select(l => l.Mlp.Dense ?? l.Mlp.Experts!.Experts[0]).First();
        yield return (first.In.Sum(i => i.Rows) > first.Width ? "gated " : "") + spec.Activation switch
        {
            ActivationKind.Silu => "silu",
            ActivationKind.GeluTanh => "gelu (tanh)",
            ActivationKind.GeluErf => "gelu",
            ActivationKind.Relu => "relu",
            _ => "relu²",
        };
        foreach (var group in spec.Layers.Where(l => l.Mlp.Experts is not null).GroupBy(l => l.Mlp.Experts!.Routing))
        {
            var (routing, beside) = (group.Key, group.First().Mlp.Dense is null ? "" : " and a shared one");
            yield return $"{routing.Chosen} of {routing.Experts} experts{beside}{(routing.Sigmoid ? " by sigmoid" : "")}";
        }
    }

    static string Attention(ModelSpec spec)
    {
        var sliding = spec.Layers.Where(l => l.Attention.Window > 0).ToArray();
        string[] words =
        [
            spec.Layers[0].Attention.Latent is not null ? "latent" : spec.KvHeads == spec.Heads ? "all heads"
                : spec.KvHeads == 1 ? "one KV head" : $"{spec.KvHeads} KV heads of {spec.Heads}",
            .. When(sliding.Length > 0, sliding.Length == spec.Layers.Count
                ? "sliding window" : $"sliding window in {sliding.Length} of {spec.Layers.Count} layers"),
            .. When(spec.AttentionCap > 0, "capped scores"),
            .. When(spec.Layers[0].Attention.Clip > 0, "clipped"),
        ];
        return string.Join(", ", words);
    }

    static string[] When(bool condition, string words) => condition ? [words] : [];
}
