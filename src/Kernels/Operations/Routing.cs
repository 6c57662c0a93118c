namespace Hearth.Kernels;

/// <summary>How a row's scores choose among experts.</summary>
/// <param name="Chosen">Experts per row.</param>
/// <param name="Sigmoid">Scores are made probabilities each by itself, not by a softmax over all.</param>
/// <param name="Normalize">The chosen ones' weights add up to 1 before the scale.</param>
/// <param name="Groups">Experts are so many groups of equal size; only those of the best <paramref name="GroupsChosen"/>, by
/// the sum of their two best, can be chosen.</param>
public readonly record struct RoutingShape(int Experts, int Chosen, bool Sigmoid, bool Normalize, float Scale = 1, int Groups = 1,
    int GroupsChosen = 1);

/// <summary>Chooses experts for rows of router scores.</summary>
public static unsafe class Routing
{
    /// <param name="scores">[rows, experts]; overwritten.</param>
    /// <param name="corrections">[experts], added for the choice alone; or empty.</param>
    /// <param name="weights">[rows, experts]: the weight of each chosen one, -1 for the others. Of equals the first is
    /// chosen.</param>
    public static void Choose(KernelContext context, in RoutingShape shape, Span<float> scores, ReadOnlySpan<float> corrections,
        Span<float> weights)
    {
        var rows = Check.Rows(scores.Length, shape.Experts, nameof(scores));
        Check.Length(weights.Length, scores.Length, nameof(weights));
        Check.Length(corrections.Length, corrections.IsEmpty ? 0 : shape.Experts, nameof(corrections));
        for (var row = 0; row < rows; row++)
        {
            var at = scores.Slice(row * shape.Experts, shape.Experts);
            var target = weights.Slice(row * shape.Experts, shape.Experts);
            Probabilities(context, shape.Sigmoid, at);
            at.CopyTo(target);
            if (!corrections.IsEmpty)
            {
                Elementwise.Add(context, at, corrections);
            }
            HideGroups(shape, at);
            Pick(shape, at, target);
        }
    }

    static void Probabilities(KernelContext context, bool sigmoid, Span<float> x)
    {
        if (!sigmoid)
        {
            Softmax.Compute(context, x);
            return;
        }
        foreach (ref var value in x)
        {
            value = SimdMath<SimdScalar, float>.Sigmoid(value);
        }
    }

    /// <summary>Experts of groups that are not chosen get 0, as the reference has it: they can still be chosen before
    /// negative ones.</summary>
    static void HideGroups(in RoutingShape shape, Span<float> x)
    {
        if (shape.Groups == 1)
        {
            return;
        }
        var size = shape.Experts / shape.Groups;
        Span<float> best = stackalloc float[shape.Groups];
        for (var group = 0; group < shape.Groups; group++)
        {
            var (first, second) = (float.NegativeInfinity, float.NegativeInfinity);
            foreach (var value in x.Slice(group * size, size))
            {
                (first, second) = value > first ? (value, first) : (first, Math.Max(second, value));
            }
            best[group] = first + second;
        }
        Span<bool> kept = stackalloc bool[shape.Groups];
        for (var i = 0; i < shape.GroupsChosen; i++)
        {
            var top = TakeBest(best);
            kept[top] = true;
        }
        for (var group = 0; group < shape.Groups; group++)
        {
            if (!kept[group])
            {
                x.Slice(group * size, size).Clear();
            }
        }
    }

    static void Pick(in RoutingShape shape, Span<float> choice, Span<float> weights)
    {
        var sum = 0f;
        Span<bool> kept = stackalloc bool[shape.Experts];
        for (var i = 0; i < shape.Chosen; i++)
        {
            var top = TakeBest(choice);
            kept[top] = true;
            sum += weights[top];
        }
        var factor = shape.Normalize ? shape.Scale / (shape.Sigmoid ? sum + 1e-20f : sum) : shape.Scale;
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = kept[i] ? weights[i] * factor : -1;
        }
    }

    static int TakeBest(Span<float> values)
    {
        var best = 0;
        for (var i = 1; i < values.Length; i++)
        {
            best = values[i] > values[best] ? i : best;
        }
        values[best] = float.NegativeInfinity;
        return best;
    }
}
