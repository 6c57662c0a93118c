namespace Hearth.Kernels;

/// <summary>How a group of keys or values gets its scale and its zero.</summary>
public enum KvRoundingMethod
{
    /// <summary>From the least and the greatest number, as quanto's MaxOptimizer.</summary>
    Affine,

    /// <summary>The same by the inverse scale and a zero that is not rounded, as HQQ's Quantizer without its optimiser, which the
    /// caches of transformers do not use.</summary>
    HalfQuadratic,
}

/// <summary>What keys and values become in transformers' quantized caches: integers of 2 to 8 bits with a scale and a zero per
/// group, and back.</summary>
/// <param name="Group">Numbers of a group.</param>
/// <param name="AlongColumns">A group is so many rows of one column; else so many neighbours.</param>
public readonly record struct KvRounding(KvRoundingMethod Method, int Bits, int Group, bool AlongColumns)
{
    const float ScaleMax = 2e4f;

    /// <summary>Rounds in place.</summary>
    /// <param name="x">[rows, columns], whole groups.</param>
    /// <exception cref="ArgumentException">The groups do not fit.</exception>
    public void Apply(Span<float> x, int columns)
    {
        var whole = AlongColumns ? Group * columns : Group;
        if (Bits is < 2 or > 8 || Group < 1 || x.Length % whole != 0)
        {
            throw new ArgumentException($"{this} does not fit {x.Length} numbers in rows of {columns}");
        }

        var groups = new float[x.Length];
        Arrange(x, groups, columns, true);
        if (Method == KvRoundingMethod.Affine)
        {
            RoundAffine(groups);
        }
        else
        {
            RoundHalfQuadratic(groups);
        }
        Arrange(x, groups, columns, false);
    }

    /// <summary>Brings the numbers of a group side by side, or back.</summary>
    void Arrange(Span<float> x, Span<float> groups, int columns, bool gather)
    {
        for (var i = 0; i < x.Length; i++)
        {
            var (row, column) = Math.DivRem(i, columns);
            var at = AlongColumns ? ((row / Group * columns) + column) * Group + row % Group : i;
            (gather ? ref groups[at] : ref x[i]) = gather ? x[i] : groups[at];
        }
    }

    void RoundAffine(Span<float> groups)
    {
        var most = (1 << Bits) - 1;
        for (var from = 0; from < groups.Length; from += Group)
        {
            var group = groups.Slice(from, Group);
            var (low, high) = Range(group);
            var scale = (high - low) / most;
            foreach (ref var number in group)
            {
                number = scale > 0 ? Math.Clamp(MathF.Round((number - low) / scale), 0, most) * scale + low : low;
            }
        }
    }

    void RoundHalfQuadratic(Span<float> groups)
    {
        var most = (1 << Bits) - 1;
        for (var from = 0; from < groups.Length; from += Group)
        {
            var group = groups.Slice(from, Group);
            var (low, high) = Range(group);
            var scale = MathF.Min(most / (high - low), ScaleMax);
            var zero = -low * scale;
            foreach (ref var number in group)
            {
                number = (Math.Clamp(MathF.Round(number * scale + zero), 0, most) - zero) * (1 / scale);
            }
        }
    }

    static (float Low, float High) Range(ReadOnlySpan<float> group)
    {
        var (low, high) = (float.PositiveInfinity, float.NegativeInfinity);
        foreach (var number in group)
        {
            (low, high) = (MathF.Min(low, number), MathF.Max(high, number));
        }
        return (low, high);
    }
}
