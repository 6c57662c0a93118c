using Hearth.Engine.Devices;

namespace Hearth.Engine.Models;

/// <summary>The one forward pass, for every model that a <see cref="ModelSpec"/> can describe and on every device.</summary>
sealed class DecoderRunner : IModelRunner
{
    readonly ModelSpec _spec;
    readonly IDevice _device;
    readonly DecoderParts _parts;
    readonly RopeAngles _angles;

    // Residual stream; its norm; what a part gives; query, key, value; what attention gives.
    readonly BufferId _x, _normed, _result, _query, _key, _value, _attended;

    /// <param name="device">Disposed of with the runner.</param>
    public DecoderRunner(ModelSpec spec, DecoderWeights weights, IDevice device)
    {
        (_spec, _device) = (spec, device);
        _parts = new DecoderParts(spec, weights, device);
        _angles = new RopeAngles(spec.Ropes, device.RowsMax);
        (_x, _normed, _result) = (device.Allocate(spec.Width), device.Allocate(spec.Width), device.Allocate(spec.Width));
        (_query, _attended) = (device.Allocate(spec.QueryWidth), device.Allocate(spec.AttendedWidth));
        (_key, _value) = (device.Allocate(spec.KeyWidth), device.Allocate(spec.ValueWidth));
    }

    public int VocabularySize => _spec.VocabularySize;
    public int ContextLength => _spec.ContextLength;

    // A cap may make two logits equal.
    public bool GivesBest => _device.GivesBest && _spec is { LogitScale: > 0, LogitCap: 0 };

    public void Run(Batch batch, Span<float> logits)
    {
        Check(batch);
        _angles.Fill(batch);
        _device.Begin(batch, _angles.Cosines, _angles.Sines);
        Embed();
        for (var i = 0; i < _spec.Layers.Count; i++)
        {
            Keys(i);
            if (i == _spec.Layers.Count - 1)
            {
                // All keys and values are written: only rows that give logits go on.
                if (batch.LogitRows == 0)
                    return;
                _device.KeepWanted(_x, _normed, _query);
            }
            Rest(i);
        }
        var last = Normed(_parts.FinalNorm, _x);
        if (_parts.HeadIn is { } headIn)
        {
            _device.Project(last, new Projection(headIn, _parts.Embedded));
            last = _parts.Embedded;
        }
        if (batch.WantsBest)
            _device.Best(last, _parts.Head, batch.Best);
        else
            _device.Logits(last, _parts.Head, _spec.LogitScale, _spec.LogitCap, logits[..(batch.LogitRows * VocabularySize)]);
    }

    public void Dispose() => _device.Dispose();

    void Check(Batch batch)
    {
        if (batch.Rows > _device.RowsMax)
            throw new ArgumentException($"{batch.Rows} rows; the runner was made for {_device.RowsMax}", nameof(batch));
        foreach (ref readonly var sequence in batch.Sequences)
        {
            var length = sequence.Start + sequence.Rows;
            if (length > ContextLength)
                throw new ArgumentException($"{length} tokens exceed the context of {ContextLength}", nameof(batch));
        }
    }

    void Embed()
    {
        if (_parts.EmbeddingOut is { } wide)
        {
            _device.Embed(_parts.Embedding, _parts.Embedded, _spec.EmbeddingScale);
            _device.Project(_parts.Embedded, new Projection(wide, _x));
        }
        else
        {
            _device.Embed(_parts.Embedding, _x, _spec.EmbeddingScale);
        }
        if (_parts.Positions is { } positions)
            _device.AddPositions(positions, _x);
        if (_parts.EmbeddingNorm is { } norm)
            _device.Norm(norm, _x, _x);
    }

    /// <summary>Queries, and keys and values into the cache.</summary>
    void Keys(int index)
    {
        var (spec, part) = (_spec.Layers[index].Attention, _parts.Layers[index].Attention);
        var source = Normed(part.Before, _x);
        if (part.Latent is { } latent)
        {
            FromLatents(latent, part, source, _angles.Rotation(spec.Rope!.Value, _spec.HeadDim));
            _device.WriteKv(index, _key, _value);
            return;
        }
        _device.Project(source, new(part.Query, _query), new(part.Key, _key), new(part.Value, _value));
        if (part.QueryNorm is { } queryNorm)
            _device.Norm(queryNorm, _query, _query);
        if (part.KeyNorm is { } keyNorm)
            _device.Norm(keyNorm, _key, _key);
        if (spec.Clip > 0)
            _device.Clip(spec.Clip, _query, _key, _value);
        if (spec.Rope is { } rope)
            _device.Rotate(_angles.Rotation(rope, _spec.HeadDim), _query, _key);
        _device.WriteKv(index, _key, _value);
    }

    void FromLatents(DecoderParts.Latent latent, DecoderParts.Attention part, BufferId source, Rotation rotation)
    {
        _device.Project(source, new(latent.Kv, latent.Kvs), new(latent.Rope, latent.Ropes));
        _device.Norm(latent.KvNorm, latent.Kvs, latent.Kvs);
        _device.Rotate(rotation with { HeadDim = rotation.Dim, First = 0 }, latent.Ropes);
        _device.Project(latent.Kvs, new(part.Key, _key), new(part.Value, _value));
        _device.Project(latent.Ropes, new Projection(latent.RopeToKeys, _key, Accumulate: true));
        if (latent.Query is { } narrow)
        {
            _device.Project(source, new Projection(narrow, latent.Queries!.Value));
            source = latent.Queries.Value;
            if (latent.QueryNorm is { } norm)
                _device.Norm(norm, source, source);
        }
        _device.Project(source, new Projection(part.Query, _query));
        _device.Rotate(rotation, _query);
    }

    void Rest(int index)
    {
        var (spec, layer) = (_spec.Layers[index], _parts.Layers[index]);
        var (attention, mlp) = (layer.Attention, layer.Mlp);
        var source = spec.Parallel ? mlp.Before is null ? Source(attention.Before) : Normed(mlp.Before, _x) : default;
        _device.Attend(index, attention.Id, _query, _attended);
        Join(attention.Out, _attended, attention.Result, attention.After);
        if (!spec.Parallel)
            source = Normed(mlp.Before, _x);
        if (mlp.Experts is { } experts)
            Mix(mlp, experts, source);
        else
            Join(mlp.Dense!.Out, Middle(mlp.Dense, source), mlp.Result, mlp.After);
    }

    void Mix(DecoderParts.Mlp mlp, ExpertsId experts, BufferId source)
    {
        _device.Project(source, new Projection(mlp.Router!.Value, mlp.Scores!.Value));
        _device.Mix(experts, mlp.Scores.Value, source, _result);
        Join(mlp.Result, mlp.After);
        if (mlp.Dense is not { } shared)
            return;
        if (mlp.DenseGate is { } gate)
            _device.Project(source, new Projection(gate, mlp.Gate!.Value));
        _device.Project(Middle(shared, source), new Projection(shared.Out, _result));
        _device.Add(_result, _x, _spec.ResidualScale, mlp.Gate);
    }

    /// <summary>What lies between an MLP's halves.</summary>
    BufferId Middle(DecoderParts.Dense mlp, BufferId source)
    {
        if (mlp.In is [var gate, var up])
            _device.Project(source, new(gate, mlp.Middle[0]), new(up, mlp.Middle[1]));
        else
            _device.Project(source, new Projection(mlp.In[0], mlp.Middle[0]));
        _device.Activate(_spec.Activation, mlp.Middle[0], mlp.In.Length == 2 ? mlp.Middle[1] : null);
        return mlp.Middle[0];
    }

    /// <summary>Adds what a part gives to the stream.</summary>
    void Join(LinearId linear, BufferId source, NormId? result, NormId? after)
    {
        if (result is null && _spec.ResidualScale == 1)
        {
            _device.Project(source, new Projection(linear, _x, Accumulate: true));
            if (after is { } norm)
                _device.Norm(norm, _x, _x);
            return;
        }
        _device.Project(source, new Projection(linear, _result));
        Join(result, after);
    }

    void Join(NormId? result, NormId? after)
    {
        if (result is { } norm)
            _device.Norm(norm, _result, _result);
        _device.Add(_result, _x, _spec.ResidualScale);
        if (after is { } end)
            _device.Norm(end, _x, _x);
    }

    BufferId Normed(NormId? norm, BufferId source)
    {
        if (norm is { } id)
            _device.Norm(id, source, _normed);
        return norm is null ? source : _normed;
    }

    BufferId Source(NormId? norm) => norm is null ? _x : _normed;
}
