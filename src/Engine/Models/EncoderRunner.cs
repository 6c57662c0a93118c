using Hearth.Engine.Devices;

namespace Hearth.Engine.Models;

/// <summary>An encoder: whole sequences at once, every token sees all of its own. Its blocks hold one layer's keys at a
/// time.</summary>
sealed class EncoderRunner(ModelSpec spec, DecoderWeights weights, IDevice device)
{
    readonly LayerStack _layers = new(spec, weights, device);
    readonly float[] _types = new float[weights.TypeEmbedding is null ? 0 : device.RowsMax * spec.Width];

    /// <param name="batch">Whole sequences.</param>
    /// <param name="types">Of the tokens, in the batch's order; empty for 0.</param>
    /// <returns>What the last layer gives, [rows, Width].</returns>
    public BufferId Run(Batch batch, ReadOnlySpan<int> types = default)
    {
        _layers.Begin(batch);
        _layers.Embed(Types(batch.Rows, types));
        for (var i = 0; i < spec.Layers.Count; i++)
        {
            _layers.Keys(i);
            _layers.Rest(i);
        }
        return _layers.Normed(_layers.Parts.FinalNorm, _layers.Stream);
    }

    /// <summary>tanh of a map of every row; of a sequence the first one counts.</summary>
    /// <param name="rows">[rows, Width]</param>
    public void Pool(BufferId encoded, Span<float> rows)
    {
        device.Project(encoded, new Projection(_layers.Parts.Pooler!.Value, _layers.Parts.Pooled));
        device.Read(_layers.Parts.Pooled, rows);
        foreach (ref var value in rows)
            value = MathF.Tanh(value);
    }

    /// <summary>The head that predicts masked tokens.</summary>
    /// <param name="logits">[rows, VocabularySize]</param>
    public void Predict(BufferId encoded, Span<float> logits)
    {
        var parts = _layers.Parts;
        device.Project(encoded, new Projection(parts.HeadIn!.Value, parts.HeadTaken));
        device.Activate(spec.HeadActivation!.Value, parts.HeadTaken, null);
        device.Norm(parts.HeadNorm!.Value, parts.HeadTaken, parts.HeadTaken);
        device.Logits(parts.HeadTaken, parts.Head!.Value, spec.LogitScale, spec.LogitCap, logits);
    }

    ReadOnlySpan<float> Types(int rows, ReadOnlySpan<int> types)
    {
        if (weights.TypeEmbedding is not { } table)
            return [];
        for (var row = 0; row < rows; row++)
        {
            var from = (types.IsEmpty ? 0 : types[row]) * spec.Width;
            table.AsSpan(from, spec.Width).CopyTo(_types.AsSpan(row * spec.Width));
        }
        return _types.AsSpan(0, rows * spec.Width);
    }
}
