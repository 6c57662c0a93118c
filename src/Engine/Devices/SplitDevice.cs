using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>One part of a model that is laid out over several devices.</summary>
/// <param name="FirstLayer">Of the model; its pool and its own numbering begin there.</param>
readonly record struct DevicePart(IDevice Device, int FirstLayer);

/// <summary>Devices one after the other: each has some of the layers, with their caches. Operations run where their weights are;
/// activations follow them, through the machine's memory. What comes before the layers is on the first, what comes after on the
/// last.</summary>
sealed class SplitDevice : IDevice
{
    readonly DevicePart[] _parts;
    readonly List<(int Part, LinearId Id)> _linears = [];
    readonly List<(int Part, NormId Id)> _norms = [];
    readonly List<(int Part, AttentionId Id)> _attentions = [];
    readonly List<(int Part, ExpertsId Id)> _experts = [];

    /// <summary>Which part has each buffer's content.</summary>
    readonly List<int> _places = [];
    int _loading, _rows;
    float[] _moved = [];

    /// <param name="parts">In the order of their layers; the first begins at 0. Disposed of with this device.</param>
    public SplitDevice(IEnumerable<DevicePart> parts) => _parts = [.. parts];

    public int RowsMax => _parts.Min(p => p.Device.RowsMax);

    public void Place(int layer) => _loading = PartOf(layer);

    public LinearId Load(MatrixView weights, float[] bias)
    {
        var id = Loading.Load(weights, bias);
        _linears.Add((_loading, id));
        return id with { Index = _linears.Count - 1 };
    }

    public NormId Load(NormKind kind, float epsilon, float[] weight, float[] bias, int groups = 1)
    {
        _norms.Add((_loading, Loading.Load(kind, epsilon, weight, bias, groups)));
        return new(_norms.Count - 1);
    }

    public AttentionId Load(in AttentionSpec attention)
    {
        _attentions.Add((_loading, Loading.Load(attention)));
        return new(_attentions.Count - 1);
    }

    public ExpertsId Load(in RoutingShape routing, float[] corrections, ActivationKind activation, IReadOnlyList<Expert> experts)
    {
        Expert[] own = [.. experts.Select(e => new Expert([.. e.In.Select(Own)], Own(e.Out)))];
        _experts.Add((_loading, Loading.Load(routing, corrections, activation, own)));
        return new(_experts.Count - 1);

        LinearId Own(LinearId linear) => _linears[linear.Index].Id;
    }

    public BufferId Allocate(int width)
    {
        // Every device numbers its buffers in the same order.
        var id = _parts.Select(p => p.Device.Allocate(width)).ToArray()[0];
        _places.Add(0);
        return id;
    }

    public void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        _rows = batch.Rows;
        foreach (var part in _parts)
            part.Device.Begin(batch, cosines, sines);
    }

    public void Embed(LinearId table, BufferId target, float scale)
    {
        var (part, id) = _linears[table.Index];
        Written(part, target).Embed(id, target, scale);
    }

    public void AddPositions(LinearId table, BufferId target)
    {
        var (part, id) = _linears[table.Index];
        Changed(part, target).AddPositions(id, target);
    }

    public void Norm(NormId norm, BufferId source, BufferId target)
    {
        var (part, id) = _norms[norm.Index];
        Bring(part, source);
        Written(part, target).Norm(id, source, target);
    }

    public void Project(BufferId source, params ReadOnlySpan<Projection> outputs)
    {
        var part = _linears[outputs[0].Linear.Index].Part;
        Bring(part, source);
        Span<Projection> own = stackalloc Projection[outputs.Length];
        for (var i = 0; i < outputs.Length; i++)
        {
            own[i] = outputs[i] with { Linear = _linears[outputs[i].Linear.Index].Id };
            _ = outputs[i].Accumulate ? Changed(part, outputs[i].Target) : Written(part, outputs[i].Target);
        }
        _parts[part].Device.Project(source, own);
    }

    public void Clip(float limit, params ReadOnlySpan<BufferId> buffers) => Together(buffers).Clip(limit, buffers);

    public void Rotate(in Rotation rotation, params ReadOnlySpan<BufferId> buffers) =>
        Together(buffers).Rotate(rotation, buffers);

    public void WriteKv(int layer, BufferId keys, BufferId values)
    {
        var part = PartOf(layer);
        Bring(part, keys);
        Changed(part, values).WriteKv(layer - _parts[part].FirstLayer, keys, values);
    }

    public void Attend(int layer, AttentionId attention, BufferId queries, BufferId target)
    {
        var (part, id) = _attentions[attention.Index];
        Bring(part, queries);
        Written(part, target).Attend(layer - _parts[part].FirstLayer, id, queries, target);
    }

    public void Activate(ActivationKind kind, BufferId gate, BufferId? up) =>
        (up is { } factor ? Together([gate, factor]) : Together([gate])).Activate(kind, gate, up);

    public void Mix(ExpertsId experts, BufferId scores, BufferId source, BufferId target)
    {
        var (part, id) = _experts[experts.Index];
        Bring(part, scores);
        Bring(part, source);
        Written(part, target).Mix(id, scores, source, target);
    }

    public void Add(BufferId source, BufferId target, float scale = 1, BufferId? gate = null)
    {
        var part = _places[source.Index];
        if (gate is { } gates)
            Bring(part, gates);
        Changed(part, target).Add(source, target, scale, gate);
    }

    public void KeepWanted(params ReadOnlySpan<BufferId> buffers)
    {
        var kept = Together(buffers);
        foreach (var part in _parts)
            part.Device.KeepWanted(part.Device == kept ? buffers : []);
        _rows = kept.Rows;
    }

    public int Rows => _rows;

    public void Read(BufferId buffer, Span<float> rows) => _parts[_places[buffer.Index]].Device.Read(buffer, rows);

    public void Write(BufferId buffer, ReadOnlySpan<float> rows) => _parts[_places[buffer.Index]].Device.Write(buffer, rows);

    public void Logits(BufferId source, LinearId head, float scale, float cap, Span<float> logits)
    {
        var (part, id) = _linears[head.Index];
        Changed(part, source).Logits(source, id, scale, cap, logits);
    }

    public bool GivesBest => _parts[^1].Device.GivesBest;

    public void Best(BufferId source, LinearId head, Span<int> ids)
    {
        var (part, id) = _linears[head.Index];
        Changed(part, source).Best(source, id, ids);
    }

    public void Dispose()
    {
        foreach (var part in _parts)
            part.Device.Dispose();
    }

    IDevice Loading => _parts[_loading].Device;

    /// <summary>Layers beyond the last stand for what comes after them.</summary>
    int PartOf(int layer) => Array.FindLastIndex(_parts, part => part.FirstLayer <= layer);

    IDevice Written(int part, BufferId buffer)
    {
        _places[buffer.Index] = part;
        return _parts[part].Device;
    }

    IDevice Changed(int part, BufferId buffer)
    {
        Bring(part, buffer);
        return _parts[part].Device;
    }

    /// <summary>The device of the first of them, with all of them on it.</summary>
    IDevice Together(ReadOnlySpan<BufferId> buffers)
    {
        var part = _places[buffers[0].Index];
        foreach (var buffer in buffers)
            Bring(part, buffer);
        return _parts[part].Device;
    }

    void Bring(int part, BufferId buffer)
    {
        var from = _places[buffer.Index];
        if (from == part)
            return;
        var count = _rows * buffer.Width;
        if (_moved.Length < count)
            _moved = new float[count];
        _parts[from].Device.Read(buffer, _moved.AsSpan(0, count));
        _parts[part].Device.Write(buffer, _moved.AsSpan(0, count));
        _places[buffer.Index] = part;
    }
}
