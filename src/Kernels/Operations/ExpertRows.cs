namespace Hearth.Kernels;

/// <summary>The rows that chose an expert, by <see cref="Routing"/>'s weights: together, and back to their places.</summary>
public static unsafe class ExpertRows
{
    /// <param name="source">[rows, width]</param>
    /// <param name="weights">[rows, experts], negative where not chosen.</param>
    /// <param name="target">[rows, width] or less: the rows in order.</param>
    /// <returns>How many.</returns>
    public static int Gather(KernelContext context, ReadOnlySpan<float> source, ReadOnlySpan<float> weights, int expert,
        int experts, Span<float> target)
    {
        var rows = Check.Rows(weights.Length, experts, nameof(weights));
        var width = Check.Rows(source.Length, rows, nameof(source));
        var count = 0;
        for (var row = 0; row < rows; row++)
        {
            if (weights[row * experts + expert] >= 0)
            {
                source.Slice(row * width, width).CopyTo(target[(count++ * width)..]);
            }
        }
        return count;
    }

    /// <summary>The reverse: adds each row of the source, times its weight, to its place in the target.</summary>
    public static void Scatter(KernelContext context, ReadOnlySpan<float> source, ReadOnlySpan<float> weights, int expert,
        int experts, Span<float> target)
    {
        var rows = Check.Rows(weights.Length, experts, nameof(weights));
        var (width, from) = (Check.Rows(target.Length, rows, nameof(target)), 0);
        for (var row = 0; row < rows; row++)
        {
            var weight = weights[row * experts + expert];
            if (weight >= 0)
            {
                Elementwise.AddScaled(context, target.Slice(row * width, width), source.Slice(from, width), weight);
                from += width;
            }
        }
    }
}

/// <summary>target += source * scale * sigmoid(gate), a gate per row.</summary>
public static class GatedAdd
{
    /// <param name="source">[rows, width]; target alike.</param>
    /// <param name="gates">[rows]</param>
    public static void Compute(KernelContext context, ReadOnlySpan<float> source, ReadOnlySpan<float> gates, float scale,
        Span<float> target)
    {
        Check.Length(source.Length, target.Length, nameof(source));
        var width = Check.Rows(target.Length, gates.Length, nameof(target));
        for (var row = 0; row < gates.Length; row++)
        {
            var factor = scale * SimdMath<SimdScalar, float>.Sigmoid(gates[row]);
            Elementwise.AddScaled(context, target.Slice(row * width, width), source.Slice(row * width, width), factor);
        }
    }
}
