namespace Hearth.Engine.Models;

/// <summary>The angles of a <see cref="RopeSpec"/>. Powers are rounded to f32 where transformers rounds them, so that the two
/// agree at long positions too.</summary>
sealed class RopeFrequencies
{
    readonly RopeSpec _spec;
    readonly float[] _fixed;
    readonly float[] _stretched;
    int _stretchedLength;

    public RopeFrequencies(RopeSpec spec)
    {
        _spec = spec;
        _fixed = Powers(spec, spec.Theta, new float[spec.Dim / 2]);
        _stretched = new float[spec.Dim / 2];
        switch (spec.Kind)
        {
            case RopeKind.Linear:
                for (var i = 0; i < _fixed.Length; i++)
                    _fixed[i] /= (float)spec.Factor;
                break;
            case RopeKind.Llama3:
                StretchLongWaves(spec, _fixed);
                break;
            case RopeKind.Yarn:
                BlendByParts(spec, _fixed);
                break;
            case RopeKind.LongRope:
                Powers(spec, spec.Theta, _stretched, spec.LongFactors);
                Powers(spec, spec.Theta, _fixed, spec.ShortFactors);
                break;
        }
    }

    /// <summary>Radians per position, one per pair.</summary>
    /// <param name="length">Tokens of the sequence at the time: with dynamic scaling and longrope a key keeps the rotation that
    /// it was written with, as the reference's cache does.</param>
    public ReadOnlySpan<float> At(int length)
    {
        if (_spec.Kind is not (RopeKind.Dynamic or RopeKind.LongRope) || length <= _spec.TrainedContext)
            return _fixed;
        if (_spec.Kind == RopeKind.Dynamic && length != _stretchedLength)
        {
            var growth = _spec.Factor * length / _spec.TrainedContext - (_spec.Factor - 1);
            Powers(_spec, _spec.Theta * Math.Pow(growth, _spec.Dim / (_spec.Dim - 2.0)), _stretched);
            _stretchedLength = length;
        }
        return _stretched;
    }

    /// <summary>Fills cosines and sines of one position, [Dim / 2] each.</summary>
    public void Fill(int position, int length, Span<float> cos, Span<float> sin)
    {
        var frequencies = At(length);
        var factor = (float)_spec.AttentionFactor;
        for (var i = 0; i < frequencies.Length; i++)
        {
            var (s, c) = MathF.SinCos(position * frequencies[i]);
            cos[i] = c * factor;
            sin[i] = s * factor;
        }
    }

    static float[] Powers(RopeSpec spec, double theta, float[] into, double[]? factors = null)
    {
        for (var i = 0; i < into.Length; i++)
            into[i] = 1 / ((float)(factors?[i] ?? 1) * (float)Math.Pow(theta, (float)(2 * i) / spec.Dim));
        return into;
    }

    static void StretchLongWaves(RopeSpec spec, float[] frequencies)
    {
        var (low, high, context) = (spec.LowFrequencyFactor, spec.HighFrequencyFactor, spec.TrainedContext);
        for (var i = 0; i < frequencies.Length; i++)
        {
            var rotations = context * frequencies[i] / (2 * Math.PI);
            var keep = Math.Clamp((rotations - low) / (high - low), 0, 1);
            frequencies[i] = (float)((1 - keep) * frequencies[i] / spec.Factor + keep * frequencies[i]);
        }
    }

    static void BlendByParts(RopeSpec spec, float[] frequencies)
    {
        var low = Math.Max(Math.Floor(DimensionOf(spec, spec.BetaFast)), 0);
        var high = Math.Min(Math.Ceiling(DimensionOf(spec, spec.BetaSlow)), spec.Dim - 1);
        if (low >= high)
            high = low + 0.001;
        for (var i = 0; i < frequencies.Length; i++)
        {
            var stretch = Math.Clamp((i - low) / (high - low), 0, 1);
            frequencies[i] = (float)(frequencies[i] / spec.Factor * stretch + frequencies[i] * (1 - stretch));
        }
    }

    /// <summary>The pair that turns so many times over the trained context.</summary>
    static double DimensionOf(RopeSpec spec, double rotations) =>
        spec.Dim * Math.Log(spec.TrainedContext / (rotations * 2 * Math.PI)) / (2 * Math.Log(spec.Theta));
}
