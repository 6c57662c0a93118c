using Hearth.Engine.Devices;

namespace Hearth.Engine.Models;

/// <summary>The layers of a decoder or an encoder on a device, step by step.</summary>
sealed class LayerStack
{
    readonly ModelSpec _spec;
    readonly IDevice _device;
    readonly DecoderParts _parts;
    readonly RopeAngles _angles;

    // Residual stream; its norm; what a part gives; query, key, value; what attention gives.
    readonly BufferId _x, _normed, _result, _query, _key, _value, _attended;

    public LayerStack(ModelSpec spec, DecoderWeights weights, IDevice device)
    {
        (_spec, _device) = (spec, device);
        _parts = new DecoderParts(spec, weights, device);
        _angles = new RopeAngles(spec.Ropes, device.RowsMax);
        (_x, _normed, _result) = (device.Allocate(spec.Width), device.Allocate(spec.Width), device.Allocate(spec.Width));
        (_query, _attended) = (device.Allocate(spec.QueryWidth), device.Allocate(spec.AttendedWidth));
        (_key, _value) = (device.Allocate(spec.KeyWidth), device.Allocate(spec.ValueWidth));
    }

    public DecoderParts Parts => _parts;

    /// <summary>The residual stream.</summary>
    public BufferId Stream => _x;

    public void Begin(Batch batch)
    {
        if (batch.Rows > _device.RowsMax)
            throw new ArgumentException($"{batch.Rows} rows; the runner was made for {_device.RowsMax}", nameof(batch));
        foreach (ref readonly var sequence in batch.Sequences)
        {
            var length = sequence.Start + sequence.Rows;
            if (length > _spec.ContextLength)
                throw new ArgumentException($"{length} tokens exceed the context of {_spec.ContextLength}", nameof(batch));
        }
        _angles.Fill(batch);
        _device.Begin(batch, _angles.Cosines, _angles.Sines);
    }

    /// <summary>From here on only rows that give logits.</summary>
    public void KeepWanted() => _device.KeepWanted(_x, _normed, _query);

    /// <summary>Keys and values of every layer's cross attention into the cache.</summary>
    public void CrossKeys(BufferId encoded)
    {
        for (var i = 0; i < _parts.Layers.Length; i++)
        {
            var cross = _parts.Layers[i].Cross!;
            _device.Project(encoded, new(cross.Key, _key), new(cross.Value, _value));
            _device.WriteKv(i, _key, _value);
        }
    }

    /// <summary>The tokens into the stream.</summary>
    /// <param name="types">What the tokens' types add, [rows, Width]; empty if nothing.</param>
    public void Embed(ReadOnlySpan<float> types = default)
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
        if (!types.IsEmpty)
        {
            _device.Write(_result, types);
            _device.Add(_result, _x);
        }
        if (_parts.EmbeddingNorm is { } norm)
            _device.Norm(norm, _x, _x);
    }

    /// <summary>Queries, and keys and values into the cache.</summary>
    public void Keys(int index)
    {
        var (spec, part) = (_spec.Layers[index].Attention, _parts.Layers[index].Attention);
        var source = Normed(part.Before, _x);
        if (part.Latent is { } latent)
        {
            FromLatents(latent, part, source, _angles.Rotation(spec.Rope!.Value, _spec.HeadDim));
            _device.WriteKv(CacheLayer(index), _key, _value);
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
        _device.WriteKv(CacheLayer(index), _key, _value);
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

    /// <summary>From a layer's queries on.</summary>
    public void Rest(int index)
    {
        var (spec, layer) = (_spec.Layers[index], _parts.Layers[index]);
        var (attention, mlp) = (layer.Attention, layer.Mlp);
        var source = spec.Parallel ? mlp.Before is null ? Source(attention.Before) : Normed(mlp.Before, _x) : default;
        _device.Attend(CacheLayer(index), attention.Id, _query, _attended);
        Join(attention.Out, _attended, attention.Result, attention.After);
        if (layer.Cross is { } cross)
            Across(index, cross);
        if (!spec.Parallel)
            source = Normed(mlp.Before, _x);
        if (mlp.Experts is { } experts)
            Mix(mlp, experts, source);
        else
            Join(mlp.Dense!.Out, Middle(mlp.Dense, source), mlp.Result, mlp.After);
    }

    void Across(int index, DecoderParts.Attention cross)
    {
        _device.Project(Normed(cross.Before, _x), new Projection(cross.Query, _query));
        _device.AttendAcross(index, cross.Id, _query, _attended);
        Join(cross.Out, _attended, cross.Result, cross.After);
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

    public BufferId Normed(NormId? norm, BufferId source)
    {
        if (norm is { } id)
            _device.Norm(id, source, _normed);
        return norm is null ? source : _normed;
    }

    /// <summary>An encoder keeps its keys for one layer's time only.</summary>
    int CacheLayer(int index) => _spec.Bidirectional ? 0 : index;

    BufferId Source(NormId? norm) => norm is null ? _x : _normed;
}
