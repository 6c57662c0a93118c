using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

sealed record AttentionWeights(
    LinearWeights Query, LinearWeights Key, LinearWeights Value, NormWeights? QueryNorm, NormWeights? KeyNorm, LinearWeights Out)
{
    public LatentWeights? Latent { get; init; }
}

/// <param name="Rope">From the stream to the numbers of the key that turn.</param>
/// <param name="RopeToKeys">From those to every head of the keys.</param>
sealed record LatentWeights(
    LinearWeights? Query,
    NormWeights? QueryNorm,
    LinearWeights Kv,
    NormWeights KvNorm,
    LinearWeights Rope,
    LinearWeights RopeToKeys);

sealed record MlpWeights(int Width, LinearWeights[] In, LinearWeights Out);

sealed record ExpertsWeights(LinearWeights Router, float[] Corrections, MlpWeights[] Experts);

sealed record PlaceWeights(NormWeights? Before, NormWeights? Result, NormWeights? After);

sealed record LayerWeights(
    PlaceWeights AttentionNorms,
    AttentionWeights Attention,
    PlaceWeights? CrossNorms,
    AttentionWeights? Cross,
    PlaceWeights MlpNorms,
    MlpWeights? Dense,
    LinearWeights? DenseGate,
    ExpertsWeights? Experts);

/// <summary>A checkpoint's tensors in the places that a <see cref="ModelSpec"/> gives them; every shape is checked.</summary>
sealed class DecoderWeights : IDisposable
{
    readonly ModelSpec _spec;
    readonly WeightStore _store;
    readonly WeightReader _reader;

    /// <param name="store">Disposed of with the weights.</param>
    /// <exception cref="CheckpointException">A tensor is missing, or its shape or type is not what the model asks
    /// for.</exception>
    public DecoderWeights(WeightStore store, ModelSpec spec)
    {
        (_spec, _store, _reader) = (spec, store, new WeightReader(store));
        try
        {
            Embedding = _reader.Linear(new(spec.Embedding, spec.VocabularySize), spec.TableWidth, MatrixUse.Table);
            EmbeddingOut = Linear(spec.EmbeddingOut, spec.TableWidth);
            if (spec.PositionEmbedding is { } positions)
                PositionEmbedding = Positions(positions);
            if (spec.TypeEmbedding is { } types)
                TypeEmbedding = _reader.Vector($"{types}.weight", spec.Types, spec.Width);
            EmbeddingNorm = Norm(spec.EmbeddingNorm, spec.Width);
            if (spec.RelativeBias is { } bias)
                Biases = RelativeBias.Table(bias, _reader.Vector($"{bias.Name}.weight", bias.Buckets, spec.Heads), spec);
            Layers = [.. spec.Layers.Select(Layer)];
            FinalNorm = Norm(spec.FinalNorm, spec.Width);
            HeadIn = Linear(spec.HeadIn, spec.Width);
            HeadNorm = Norm(spec.HeadNorm, spec.TableWidth);
            Head = spec.Head is { } head ? _reader.Linear(head, spec.TableWidth, MatrixUse.Table) : null;
            if (spec.HeadBias is { } headBias)
                Head = Head!.Value with { Bias = store.Flat(headBias, spec.VocabularySize) };
            Pooler = Linear(spec.Pooler, spec.Width);
            Encoder = spec.Encoder is { } encoder ? new DecoderWeights(store, encoder) : null;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public LinearWeights Embedding { get; }
    public LinearWeights? EmbeddingOut { get; }
    public LinearWeights? PositionEmbedding { get; }
    public float[]? TypeEmbedding { get; }
    public NormWeights? EmbeddingNorm { get; }

    /// <summary>What <see cref="Kernels.AttentionSpec.Biases"/> are.</summary>
    public float[]? Biases { get; }
    public LayerWeights[] Layers { get; }
    public NormWeights? FinalNorm { get; }
    public LinearWeights? HeadIn { get; }
    public NormWeights? HeadNorm { get; }
    public LinearWeights? Head { get; }
    public LinearWeights? Pooler { get; }
    public DecoderWeights? Encoder { get; }

    /// <summary>Numbers in the tensors used, each counted once.</summary>
    public long Parameters => _store.Parameters;

    /// <summary>The matrices in memory, by format.</summary>
    public IEnumerable<(DType Type, int Count, long Bytes)> Formats => _store.Formats;

    public void Dispose() => _store.Dispose();

    LayerWeights Layer(LayerSpec layer) => new(
        Places(layer.Attention.Norms),
        Attention(layer.Attention),
        layer.Cross is { } cross ? Places(cross.Norms) : null,
        layer.Cross is { } part ? Attention(part) : null,
        Places(layer.Mlp.Norms),
        layer.Mlp.Dense is { } dense ? Mlp(dense) : null,
        Linear(layer.Mlp.DenseGate, _spec.Width),
        layer.Mlp.Experts is { } experts ? Experts(experts) : null);

    AttentionWeights Attention(AttentionPart part)
    {
        var output = _reader.Linear(part.Out, _spec.AttendedWidth);
        if (part.Latent is { } latent)
            return new LatentReader(_reader, _spec, latent).Read(output);
        var qkv = part is { FusedByHead: true, Qkv: [var fused] }
            ? ByHead(_reader.Linear(fused, _spec.Width))
            : _reader.Parts(part.Qkv, _spec.Width, _spec.QueryWidth, _spec.KeyWidth, _spec.ValueWidth);
        return new(qkv[0], qkv[1], qkv[2], Norm(part.QueryNorm, _spec.QueryWidth), Norm(part.KeyNorm, _spec.KeyWidth), output);
    }

    /// <summary>From [KvHeads][queries of the group, key, value][HeadDim] rows to three maps.</summary>
    LinearWeights[] ByHead(LinearWeights fused)
    {
        var (group, dim) = (_spec.Heads / _spec.KvHeads, _spec.HeadDim);
        int[] Rows(int first, int count) =>
        [
            .. Enumerable.Range(0, _spec.KvHeads)
                .SelectMany(head => Enumerable.Range((head * (group + 2) + first) * dim, count * dim)),
        ];
        return [_reader.Reorder(fused, Rows(0, group)), _reader.Reorder(fused, Rows(group, 1)),
            _reader.Reorder(fused, Rows(group + 1, 1))];
    }

    MlpWeights Mlp(MlpSpec mlp)
    {
        var inputs = mlp.In.Sum(i => i.Rows) / mlp.Width;
        return new(mlp.Width, inputs == 1 ? _reader.Parts(mlp.In, _spec.Width, mlp.Width)
            : _reader.Parts(mlp.In, _spec.Width, mlp.Width, mlp.Width), _reader.Linear(mlp.Out, mlp.Width));
    }

    ExpertsWeights Experts(ExpertsSpec experts) => new(
        _reader.Linear(experts.Router, _spec.Width, MatrixUse.Exact),
        experts.Correction is { } name ? _reader.Vector(name, experts.Routing.Experts) : [],
        [.. experts.Experts.Select(Mlp)]);

    PlaceWeights Places(NormPlaces places) =>
        new(Norm(places.Before, _spec.Width), Norm(places.Result, _spec.Width), Norm(places.After, _spec.Width));

    LinearWeights Positions(string name)
    {
        var table = _reader.Linear(new(name, _spec.PositionsFirst + _spec.ContextLength), _spec.Width, MatrixUse.Exact);
        return table.Part(_spec.PositionsFirst, _spec.ContextLength);
    }

    NormWeights? Norm(NormSpec? spec, int width) => spec is null ? null : _reader.Norm(spec, width);

    LinearWeights? Linear(LinearSpec? spec, int inputs) => spec is { } linear ? _reader.Linear(linear, inputs) : null;
}
