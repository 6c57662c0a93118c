using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>What most families have of Llama: its names of fields and parameters, and its order of layers. A family says what it
/// does otherwise and gets its <see cref="ModelSpec"/>.</summary>
sealed record LlamaShape
{
    readonly ConfigSection _config;

    public LlamaShape(Checkpoint checkpoint)
    {
        _config = checkpoint.Config;
        (Width, Heads, Layers) = (_config.Width(), _config.Heads(), _config.Layers());
        KvHeads = _config.KvHeads(Heads);
        HeadDim = _config.HeadDim(Width, Heads);
        PositionsMax = _config.Positions();
    }

    public int Width { get; }
    public int Heads { get; }
    public int Layers { get; }
    public int KvHeads { get; }
    public int HeadDim { get; init; }
    public int? ValueDim { get; init; }
    public int PositionsMax { get; }

    /// <summary>The flavour of the layers' norms.</summary>
    public required NormSpec Norm { get; init; }
    public string FinalNorm { get; init; } = "model.norm";
    public string ActivationField { get; init; } = "hidden_act";
    public string Activation { get; init; } = "silu";
    public bool Tied { get; init; }

    /// <summary>Part of a head that turns, if config.json does not say.</summary>
    public double RotaryPart { get; init; } = 1;
    public RopeStyle RopeStyle { get; init; }
    public bool QkvBias { get; init; }
    public bool OutBias { get; init; }
    public bool MlpBias { get; init; }

    /// <summary>Positions that a query of a layer sees; 0 for all.</summary>
    public Func<int, int> Window { get; init; } = _ => 0;

    /// <summary>The index of a layer's rope; null for none.</summary>
    public Func<int, int?> Rope { get; init; } = _ => 0;

    /// <summary>Gate and up, or one projection; by their names below the MLP.</summary>
    public string[] MlpIn { get; init; } = ["gate_proj", "up_proj"];
    public string MlpOut { get; init; } = "down_proj";
    public bool FusedQkv { get; init; }
    public bool FusedMlp { get; init; }
    public string AttentionOut { get; init; } = "o_proj";

    /// <summary>Query's and key's norms, by the prefix of the layer's attention.</summary>
    public Func<string, (NormSpec Query, NormSpec Key)>? QueryKeyNorms { get; init; }
    public float Clip { get; init; }

    /// <summary>Latent attention, by the prefix of the layer's attention.</summary>
    public Func<string, LatentSpec>? Latent { get; init; }

    /// <summary>A layer's norms by its prefix: attention's and the MLP's.</summary>
    public Func<string, (NormPlaces Attention, NormPlaces Mlp)>? Places { get; init; }

    /// <summary>Attention and MLP side by side.</summary>
    public bool Parallel { get; init; }

    /// <summary>A layer's experts by its prefix and index; null for a dense layer.</summary>
    public Func<string, int, MlpPart?>? Experts { get; init; }

    /// <summary>Dimensions of a head that turn.</summary>
    public int RotaryDim =>
        (int)(HeadDim * (_config.Section("rope_parameters")?.NumberOrNull("partial_rotary_factor", 0, 1)
            ?? _config.NumberOrNull("partial_rotary_factor", 0, 1) ?? RotaryPart));

    public ModelSpec Describe()
    {
        var rope = RopeSpec.Read(_config, RotaryDim, PositionsMax) with { Style = RopeStyle };
        const string Embedding = "model.embed_tokens";
        return new ModelSpec
        {
            Family = _config.String("model_type")!,
            VocabularySize = _config.Vocabulary(),
            ContextLength = rope.ContextLength(PositionsMax),
            Width = Width,
            Heads = Heads,
            KvHeads = KvHeads,
            HeadDim = HeadDim,
            ValueDim = ValueDim,
            AttentionScale = 1 / MathF.Sqrt(HeadDim),
            Ropes = [rope],
            Activation = _config.Activation(ActivationField, Activation),
            Layers = [.. Enumerable.Range(0, Layers).Select(Layer)],
            Embedding = Embedding,
            FinalNorm = At(FinalNorm),
            Head = new(_config.Bool("tie_word_embeddings", Tied) ? Embedding : "lm_head", _config.Vocabulary()),
        };
    }

    /// <summary>A norm of the layers' flavour.</summary>
    public NormSpec At(string name) => Norm.At(name);

    /// <summary>Norms of that flavour over each head of queries and keys, by their names below the attention.</summary>
    public Func<string, (NormSpec, NormSpec)> NormsByHead(
        string query, string key, GroupWeights weights = GroupWeights.Shared) =>
        at => (Norm.ByHead($"{at}.{query}", Heads, weights), Norm.ByHead($"{at}.{key}", KvHeads, weights));

    /// <summary>Norms over whole queries and keys.</summary>
    public Func<string, (NormSpec, NormSpec)> NormsOfAll(string query, string key) =>
        at => (At($"{at}.{query}"), At($"{at}.{key}"));

    /// <summary>Experts with an MLP's names, each below its number, behind a router named gate.</summary>
    public ExpertsSpec ExpertsAt(string at, RoutingShape routing, int width) => new(routing, new($"{at}.gate", routing.Experts),
        [.. Enumerable.Range(0, routing.Experts).Select(i => Mlp($"{at}.experts.{i}", width))]);

    public MlpSpec Mlp(string at, int width, bool bias = false) => new(
        width,
        [.. MlpIn.Select(name => new LinearSpec($"{at}.{name}", FusedMlp ? 2 * width : width, bias))],
        new($"{at}.{MlpOut}", Width, bias));

    LayerSpec Layer(int index)
    {
        var at = $"model.layers.{index}";
        var (attention, mlp) = Places?.Invoke(at)
            ?? (new NormPlaces(At($"{at}.input_layernorm")), new NormPlaces(At($"{at}.post_attention_layernorm")));
        var part = Experts?.Invoke(at, index)
            ?? new MlpPart(mlp, Mlp($"{at}.mlp", _config.Width("intermediate_size"), MlpBias));
        return new(Attention($"{at}.self_attn", index, attention), part with { Norms = mlp }, Parallel);
    }

    AttentionPart Attention(string at, int index, NormPlaces norms)
    {
        var (query, kv) = (Heads * HeadDim, KvHeads * HeadDim);
        LinearSpec[] qkv = FusedQkv
            ? [new($"{at}.qkv_proj", query + 2 * kv, QkvBias)]
            : [new($"{at}.q_proj", query, QkvBias), new($"{at}.k_proj", kv, QkvBias), new($"{at}.v_proj", kv, QkvBias)];
        var qkNorms = QueryKeyNorms?.Invoke(at);
        return new(norms, qkv, new($"{at}.{AttentionOut}", Width, OutBias))
        {
            Window = Window(index),
            Rope = Rope(index),
            Clip = Clip,
            Latent = Latent?.Invoke(at),
            QueryNorm = qkNorms?.Query,
            KeyNorm = qkNorms?.Key,
        };
    }
}
