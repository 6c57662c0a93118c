using Hearth.Engine.Devices;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>The one forward pass, for every model that a <see cref="ModelSpec"/> can describe and on every device.</summary>
sealed class DecoderRunner : IModelRunner
{
    readonly ModelSpec _spec;
    readonly IDevice _device;
    readonly Layer[] _layers;
    readonly LinearId _embedding, _head;
    readonly LinearId? _positions;
    readonly NormId _finalNorm;
    readonly RopeFrequencies? _rope;
    readonly float[] _cosines, _sines;

    // Residual stream; its norm; query, key, value; what attention gives; the MLP's middle.
    readonly BufferId _x, _normed, _query, _key, _value, _attended;
    readonly BufferId[] _middle;

    /// <param name="device">Disposed of with the runner.</param>
    public DecoderRunner(ModelSpec spec, DecoderWeights weights, IDevice device)
    {
        (_spec, _device) = (spec, device);
        _embedding = Load(weights.Embedding);
        _positions = weights.PositionEmbedding is { } positions ? Load(positions) : null;
        _layers = [.. weights.Layers.Select(LoadLayer)];
        _finalNorm = Load(weights.FinalNorm);
        _head = Load(weights.Head);
        _rope = spec.Rope is { } rope ? new(rope) : null;
        var angles = device.RowsMax * (spec.Rope?.Dim ?? 0) / 2;
        (_cosines, _sines) = (new float[angles], new float[angles]);
        (_x, _normed) = (device.Allocate(spec.Width), device.Allocate(spec.Width));
        (_query, _attended) = (device.Allocate(spec.QueryWidth), device.Allocate(spec.QueryWidth));
        (_key, _value) = (device.Allocate(spec.KvWidth), device.Allocate(spec.KvWidth));
        _middle = [.. weights.Layers[0].MlpIn.Select(_ => device.Allocate(spec.MlpWidth))];
    }

    public int VocabularySize => _spec.VocabularySize;
    public int ContextLength => _spec.ContextLength;

    public void Run(Batch batch, Span<float> logits)
    {
        var angles = FillAngles(batch);
        _device.Begin(batch, _cosines.AsSpan(0, angles), _sines.AsSpan(0, angles));
        _device.Embed(_embedding, _positions, _x);
        for (var i = 0; i < _layers.Length; i++)
        {
            Keys(_layers[i], i);
            if (i == _layers.Length - 1)
            {
                // All keys and values are written: only rows that give logits go on.
                if (batch.LogitRows == 0)
                    return;
                _device.KeepWanted(_x, _query);
            }
            Attention(_layers[i], i);
            Mlp(_layers[i]);
        }
        _device.Norm(_finalNorm, _x, _normed);
        _device.Logits(_normed, _head, logits[..(batch.LogitRows * VocabularySize)]);
    }

    public void Dispose() => _device.Dispose();

    void Keys(Layer layer, int index)
    {
        _device.Norm(layer.AttentionNorm, _x, _normed);
        _device.Project(_normed, new(layer.Query, _query), new(layer.Key, _key), new(layer.Value, _value));
        if (_rope is not null)
            _device.Rotate(_query, _key, _spec.HeadDim);
        _device.WriteKv(index, _key, _value);
    }

    void Attention(Layer layer, int index)
    {
        _device.Attend(index, new AttentionSpec(_spec.Heads, _spec.AttentionScale, layer.Window), _query, _attended);
        _device.Project(_attended, new Projection(layer.AttentionOut, _x, Accumulate: true));
    }

    void Mlp(Layer layer)
    {
        _device.Norm(layer.MlpNorm, _x, _normed);
        if (layer.MlpIn is [var gate, var up])
        {
            _device.Project(_normed, new(gate, _middle[0]), new(up, _middle[1]));
            _device.Activate(_spec.Mlp, _middle[0], _middle[1]);
        }
        else
        {
            _device.Project(_normed, new Projection(layer.MlpIn[0], _middle[0]));
            _device.Activate(_spec.Mlp, _middle[0], null);
        }
        _device.Project(_middle[0], new Projection(layer.MlpOut, _x, Accumulate: true));
    }

    /// <returns>Cosines written; as many sines.</returns>
    int FillAngles(Batch batch)
    {
        if (batch.Rows > _device.RowsMax)
            throw new ArgumentException($"{batch.Rows} rows; the runner was made for {_device.RowsMax}", nameof(batch));
        var half = _spec.Rope is { } rope ? rope.Dim / 2 : 0;
        foreach (ref readonly var sequence in batch.Sequences)
        {
            var length = sequence.Start + sequence.Rows;
            if (length > ContextLength)
                throw new ArgumentException($"{length} tokens exceed the context of {ContextLength}", nameof(batch));
            for (var i = 0; i < sequence.Rows && _rope is not null; i++)
            {
                var at = (sequence.FirstRow + i) * half;
                _rope.Fill(sequence.Start + i, length, _cosines.AsSpan(at, half), _sines.AsSpan(at, half));
            }
        }
        return batch.Rows * half;
    }

    Layer LoadLayer(LayerWeights w) => new(
        w.Window, Load(w.AttentionNorm), Load(w.Query), Load(w.Key), Load(w.Value), Load(w.AttentionOut),
        Load(w.MlpNorm), [.. w.MlpIn.Select(Load)], Load(w.MlpOut));

    LinearId Load(LinearWeights weights) => _device.Load(weights.Weights, weights.Bias);

    NormId Load(NormWeights weights) => _device.Load(_spec.Norm, _spec.NormEpsilon, weights.Weight, weights.Bias);

    sealed record Layer(
        int Window,
        NormId AttentionNorm,
        LinearId Query,
        LinearId Key,
        LinearId Value,
        LinearId AttentionOut,
        NormId MlpNorm,
        LinearId[] MlpIn,
        LinearId MlpOut);
}
