using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Hearth.Contracts;

namespace Hearth.Engine.Sampling;

/// <summary>Chooses a token from a row of logits by the rules of transformers' generate (4.48), in its order:
/// bias and penalties, temperature, top_k, top_p, min_p. Equal input gives the equal token.</summary>
sealed class Sampler(int vocabulary)
{
    /// <summary>Colder than this is greedy: the scores would overflow.</summary>
    const float ColdestTemperature = 1e-5f;

    /// <summary>Masses that differ by less are equal: they are sums of rounded numbers.</summary>
    const double MassTolerance = 1e-6;

    readonly Candidates _candidates = new(vocabulary);

    /// <summary>Whether the most probable token is taken.</summary>
    public static bool IsGreedy(SamplingOptions options) => options.Temperature < ColdestTemperature;

    /// <summary>What a device chose.</summary>
    /// <exception cref="InvalidOperationException">No score is a finite number.</exception>
    public static int Chosen(int best) => best >= 0 ? best : throw NoScore();

    /// <param name="logits">[vocabulary]; overwritten.</param>
    /// <param name="penalties">Null when none apply.</param>
    /// <param name="position">Of the token to choose; it and the seed decide the draw.</param>
    /// <exception cref="InvalidOperationException">No score is a finite number.</exception>
    public int Choose(Span<float> logits, SamplingOptions options, Penalties? penalties, long seed, int position)
    {
        penalties?.Apply(logits);
        var max = TensorPrimitives.Max((ReadOnlySpan<float>)logits);
        if (!float.IsFinite(max))
        {
            throw NoScore();
        }

        if (IsGreedy(options))
        {
            return MemoryMarshal.Cast<float, int>(logits).IndexOf(BitConverter.SingleToInt32Bits(max));
        }

        if (options.Temperature != 1)
        {
            TensorPrimitives.Divide(logits, options.Temperature, logits);
            max /= options.Temperature;
        }

        var draw = CounterRandom.Draw(seed, position);
        if (!Filter(logits, max, options))
        {
            return _candidates.FindMass(logits.Length, draw * _candidates.Exponentials(logits, max));
        }

        return Draw(draw, max);
    }

    static InvalidOperationException NoScore() => new("The model gave no finite score.");

    /// <summary>Fills the candidates with what top_k, top_p and min_p leave.</summary>
    /// <returns>False when no filter is on: every score stays.</returns>
    internal bool Filter(ReadOnlySpan<float> scores, float max, SamplingOptions options)
    {
        var topK = options.TopK > 0 && options.TopK < scores.Length;
        var topP = options.TopP < 1;
        if (!topK && !topP && options.MinP <= 0)
        {
            return false;
        }

        if (topK)
        {
            _candidates.Gather(scores, _candidates.KthLargest(scores, options.TopK));
        }

        if (topP)
        {
            var total = topK ? CandidateMass(max) : _candidates.Exponentials(scores, max);
            if (!topK)
            {
                GatherMass(scores, max, options.TopP * total);
            }

            KeepMass(max, options.TopP * total);
        }

        if (options.MinP > 0)
        {
            var threshold = max + MathF.Log(options.MinP);
            if (topK || topP)
            {
                _candidates.Keep(threshold);
            }
            else
            {
                _candidates.Gather(scores, threshold);
            }
        }

        return true;
    }

    internal Candidates Left => _candidates;

    /// <summary>Natural log-probabilities of the raw logits.</summary>
    /// <returns>The chosen token's; and the most probable ids, best first.</returns>
    public (float Chosen, (int Token, float Logprob)[] Top) Logprobs(ReadOnlySpan<float> logits, int chosen, int top)
    {
        var max = TensorPrimitives.Max(logits);
        var log = max + (float)Math.Log(_candidates.Exponentials(logits, max));
        if (top == 0)
        {
            return (logits[chosen] - log, []);
        }

        _candidates.Gather(logits, _candidates.KthLargest(logits, top));
        _candidates.Sort();
        _candidates.Cut(top);
        var best = new (int, float)[_candidates.Count];
        for (var i = 0; i < best.Length; i++)
        {
            best[i] = (_candidates.Id(i), _candidates.Score(i) - log);
        }

        return (logits[chosen] - log, best);
    }

    /// <summary>Gathers enough of the best scores to hold a mass, widening the range until they do.</summary>
    void GatherMass(ReadOnlySpan<float> scores, float max, double mass)
    {
        for (var range = 3f; range < 100; range *= 2)
        {
            _candidates.Gather(scores, max - range);
            if (CandidateMass(max) > mass)
            {
                return;
            }
        }

        _candidates.Gather(scores, float.NegativeInfinity);
    }

    /// <summary>Keeps the smallest set of the best whose mass reaches the target: a candidate stays while less lies before
    /// it.</summary>
    void KeepMass(float max, double mass)
    {
        _candidates.Sort();
        var (before, count) = (0.0, 0);
        while (count < _candidates.Count && (count == 0 || before < mass * (1 - MassTolerance)))
        {
            before += MathF.Exp(_candidates.Score(count++) - max);
        }

        _candidates.Cut(count);
    }

    double CandidateMass(float max)
    {
        var mass = 0.0;
        for (var i = 0; i < _candidates.Count; i++)
        {
            mass += MathF.Exp(_candidates.Score(i) - max);
        }

        return mass;
    }

    int Draw(double draw, float max)
    {
        var target = draw * CandidateMass(max);
        var sum = 0.0;
        for (var i = 0; i < _candidates.Count; i++)
        {
            sum += MathF.Exp(_candidates.Score(i) - max);
            if (sum > target)
            {
                return _candidates.Id(i);
            }
        }

        return _candidates.Id(_candidates.Count - 1);
    }
}
