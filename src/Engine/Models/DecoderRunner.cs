using Hearth.Engine.Devices;

namespace Hearth.Engine.Models;

/// <summary>The one forward pass, for every model that a <see cref="ModelSpec"/> can describe and on every device.</summary>
sealed class DecoderRunner : IModelRunner
{
    readonly ModelSpec _spec;
    readonly IDevice _device;
    readonly LayerStack _layers;
    readonly EncoderRunner? _encoder;

    /// <param name="device">Disposed of with the runner.</param>
    public DecoderRunner(ModelSpec spec, DecoderWeights weights, IDevice device)
    {
        (_spec, _device) = (spec, device);
        _layers = new LayerStack(spec, weights, device);
        _encoder = spec.Encoder is { } encoder ? new EncoderRunner(encoder, weights.Encoder!, device) : null;
    }

    public int VocabularySize => _spec.VocabularySize;
    public int ContextLength => _spec.ContextLength;

    // A cap may make two logits equal.
    public bool GivesBest => _device.GivesBest && _spec is { LogitScale: > 0, LogitCap: 0 };

    /// <summary>Runs the encoder over whole sequences and leaves keys and values for cross attention in their blocks.</summary>
    /// <returns>What the encoder gives, [rows, Width].</returns>
    public BufferId Encode(Batch batch)
    {
        var encoded = _encoder!.Run(batch);
        _layers.CrossKeys(encoded);
        return encoded;
    }

    public void Run(Batch batch, Span<float> logits)
    {
        _layers.Begin(batch);
        _layers.Embed();
        for (var i = 0; i < _spec.Layers.Count; i++)
        {
            _layers.Keys(i);
            if (i == _spec.Layers.Count - 1)
            {
                // All keys and values are written: only rows that give logits go on.
                if (batch.LogitRows == 0)
                    return;
                _layers.KeepWanted();
            }
            _layers.Rest(i);
        }
        var parts = _layers.Parts;
        var last = _layers.Normed(parts.FinalNorm, _layers.Stream);
        if (parts.HeadIn is { } headIn)
        {
            _device.Project(last, new Projection(headIn, parts.HeadTaken));
            last = parts.HeadTaken;
        }
        var head = parts.Head!.Value;
        if (batch.WantsBest)
            _device.Best(last, head, batch.Best);
        else
            _device.Logits(last, head, _spec.LogitScale, _spec.LogitCap, logits[..(batch.LogitRows * VocabularySize)]);
    }

    public void Dispose() => _device.Dispose();
}
