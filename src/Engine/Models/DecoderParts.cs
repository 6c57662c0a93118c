using Hearth.Engine.Devices;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>A decoder's weights on a device, and the buffers that only some models need.</summary>
sealed class DecoderParts
{
    readonly ModelSpec _spec;
    readonly IDevice _device;
    readonly float[]? _biases;
    readonly Dictionary<(int Width, int Index), BufferId> _buffers = [];

    public DecoderParts(ModelSpec spec, DecoderWeights weights, IDevice device)
    {
        (_spec, _device, _biases) = (spec, device, weights.Biases);
        Embedding = Load(weights.Embedding);
        EmbeddingOut = Load(weights.EmbeddingOut);
        Embedded = spec.EmbeddingWidth is { } width ? Buffer(width, 0) : default;
        Positions = Load(weights.PositionEmbedding);
        EmbeddingNorm = Load(weights.EmbeddingNorm);
        Layers = [.. spec.Layers.Select((layer, i) => LoadLayer(i, layer, weights.Layers[i]))];
        device.Place(spec.Layers.Count);
        FinalNorm = Load(weights.FinalNorm);
        HeadIn = Load(weights.HeadIn);
        HeadNorm = Load(weights.HeadNorm);
        Head = Load(weights.Head);
        HeadTaken = weights.HeadIn is { } headIn ? Buffer(headIn.Weights.Rows, 0) : default;
        Pooler = Load(weights.Pooler);
        Pooled = weights.Pooler is { } pooler ? Buffer(pooler.Weights.Rows, 0) : default;
    }

    public LinearId Embedding { get; }
    public LinearId? EmbeddingOut { get; }
    public BufferId Embedded { get; }
    public LinearId? Positions { get; }
    public NormId? EmbeddingNorm { get; }
    public Layer[] Layers { get; }
    public NormId? FinalNorm { get; }
    public LinearId? HeadIn { get; }
    public NormId? HeadNorm { get; }
    public LinearId? Head { get; }
    public BufferId HeadTaken { get; }
    public LinearId? Pooler { get; }
    public BufferId Pooled { get; }

    Layer LoadLayer(int index, LayerSpec spec, LayerWeights w)
    {
        _device.Place(index);
        var own = new AttentionSpec(_spec.Heads, _spec.AttentionScale, spec.Attention.Window, _spec.AttentionCap,
            Slopes: _spec.Slopes, Biases: _biases, All: _spec.Bidirectional);
        var across = new AttentionSpec(_spec.Heads, _spec.AttentionScale, All: true);
        return new(
            LoadAttention(own, w.AttentionNorms, w.Attention),
            w.Cross is { } cross ? LoadAttention(across, w.CrossNorms!, cross) : null,
            LoadMlp(spec.Mlp, w));
    }

    Attention LoadAttention(in AttentionSpec spec, PlaceWeights norms, AttentionWeights a)
    {
        var id = _device.Load(spec);
        return new(Load(norms.Before), Load(norms.Result), Load(norms.After), Load(a.Query), Load(a.Key), Load(a.Value),
            Load(a.QueryNorm), Load(a.KeyNorm), id, Load(a.Out))
        {
            Latent = a.Latent is { } latent ? LoadLatent(latent) : null,
        };
    }

    Latent LoadLatent(LatentWeights w) => new(
        Load(w.Query),
        Load(w.QueryNorm),
        w.Query is { } query ? Buffer(query.Weights.Rows, 2) : null,
        Load(w.Kv),
        Load(w.KvNorm)!.Value,
        Buffer(w.Kv.Weights.Rows, 3),
        Load(w.Rope),
        Load(w.RopeToKeys),
        Buffer(w.Rope.Weights.Rows, 4));

    Mlp LoadMlp(MlpPart part, LayerWeights w)
    {
        var norms = w.MlpNorms;
        var beside = w.Dense is { } dense ? LoadDense(dense) : null;
        var mlp = new Mlp(Load(norms.Before), Load(norms.Result), Load(norms.After), beside);
        if (w.Experts is not { } experts)
            return mlp;
        return mlp with
        {
            DenseGate = Load(w.DenseGate),
            Gate = w.DenseGate is null ? null : Buffer(1, 0),
            Router = Load(experts.Router),
            Scores = Buffer(experts.Router.Weights.Rows, 0),
            Experts = _device.Load(part.Experts!.Routing, experts.Corrections, _spec.Activation,
                [.. experts.Experts.Select(e => new Expert([.. e.In.Select(Load)], Load(e.Out)))]),
        };
    }

    Dense LoadDense(MlpWeights w) =>
        new([.. w.In.Select(Load)], [.. w.In.Select((_, i) => Buffer(w.Width, i))], Load(w.Out));

    /// <summary>The index-th buffer of a width: layers use the same ones.</summary>
    BufferId Buffer(int width, int index)
    {
        if (!_buffers.TryGetValue((width, index), out var buffer))
            _buffers.Add((width, index), buffer = _device.Allocate(width));
        return buffer;
    }

    LinearId Load(LinearWeights weights) => _device.Load(weights.Weights, weights.Bias);

    LinearId? Load(LinearWeights? weights) => weights is { } given ? Load(given) : null;

    NormId? Load(NormWeights? w) =>
        w is null ? null : _device.Load(w.Spec.Kind, w.Spec.Epsilon, w.Weight, w.Bias, w.Spec.Groups);

    public sealed record Layer(Attention Attention, Attention? Cross, Mlp Mlp);

    public sealed record Attention(
        NormId? Before,
        NormId? Result,
        NormId? After,
        LinearId Query,
        LinearId Key,
        LinearId Value,
        NormId? QueryNorm,
        NormId? KeyNorm,
        AttentionId Id,
        LinearId Out)
    {
        public Latent? Latent { get; init; }
    }

    public sealed record Latent(
        LinearId? Query,
        NormId? QueryNorm,
        BufferId? Queries,
        LinearId Kv,
        NormId KvNorm,
        BufferId Kvs,
        LinearId Rope,
        LinearId RopeToKeys,
        BufferId Ropes);

    public sealed record Mlp(NormId? Before, NormId? Result, NormId? After, Dense? Dense)
    {
        public LinearId? DenseGate { get; init; }
        public BufferId? Gate { get; init; }
        public LinearId? Router { get; init; }
        public BufferId? Scores { get; init; }
        public ExpertsId? Experts { get; init; }
    }

    public sealed record Dense(LinearId[] In, BufferId[] Middle, LinearId Out);
}
