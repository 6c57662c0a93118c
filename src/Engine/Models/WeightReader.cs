using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>A linear map's weights and its bias in f32 (empty if none).</summary>
readonly record struct LinearWeights(MatrixView Weights, float[] Bias)
{
    public LinearWeights Part(int from, int rows) =>
        new(Weights.SliceRows(from, rows), Bias.Length == 0 ? Bias : Bias[from..(from + rows)]);
}

/// <summary>A norm's weights over a whole row, the offset in them; no bias is empty.</summary>
sealed record NormWeights(NormSpec Spec, float[] Weight, float[] Bias);

/// <summary>Tensors of a checkpoint in the shapes that a model gives them. Matrices whose rows lie in another order than they are
/// used in are copied once.</summary>
sealed class WeightReader(WeightStore store)
{
    public LinearWeights Linear(LinearSpec spec, int inputs, MatrixUse use = MatrixUse.Layer)
    {
        var name = $"{spec.Name}.weight";
        var weights = spec.Of > 0
            ? store.Stack(name, spec.Of, spec.Rows, inputs).SliceRows(spec.Index * spec.Rows, spec.Rows)
            : store.Matrix(name, spec.Rows, inputs, use, spec.Transposed);
        return new(weights, spec.Bias ? Vector($"{spec.Name}.bias", spec.Rows) : []);
    }

    /// <summary>Projections as they are named, or the parts of one that holds them all.</summary>
    public LinearWeights[] Parts(LinearSpec[] specs, int inputs, params ReadOnlySpan<int> rows)
    {
        if (specs.Length == rows.Length)
            return [.. specs.Select(s => Linear(s, inputs))];
        var fused = Linear(specs.Single(), inputs);
        var (parts, from) = (new List<LinearWeights>(), 0);
        foreach (var count in rows)
            parts.Add(fused.Part((from += count) - count, count));
        return [.. parts];
    }

    public float[] Vector(string name, params ReadOnlySpan<long> shape) => store.Vector(name, shape);

    /// <param name="width">Of a row.</param>
    public NormWeights Norm(NormSpec spec, int width)
    {
        var weight = Groups(spec, width, "weight");
        for (var i = 0; i < weight.Length; i++)
            weight[i] += spec.Offset;
        return new(spec, weight, spec.Bias ? Groups(spec, width, "bias") : []);
    }

    /// <summary>Rows of a map in another order; zeros for -1.</summary>
    public LinearWeights Reorder(LinearWeights linear, int[] rows)
    {
        var copy = store.Allocate(linear.Weights.Memory.Length / linear.Weights.Rows * rows.Length);
        return new(GatherRows.Compute(linear.Weights, rows, copy),
            linear.Bias.Length == 0 ? [] : [.. rows.Select(row => row < 0 ? 0 : linear.Bias[row])]);
    }

    /// <summary>A map [rows, columns] of ones and zeros: row i is input <paramref name="inputs"/>[i], or 0 for -1.</summary>
    public LinearWeights Spread(int[] inputs, int columns)
    {
        var copy = store.Allocate((long)inputs.Length * columns * sizeof(float));
        var ones = copy.AsSpan<float>();
        for (var row = 0; row < inputs.Length; row++)
        {
            if (inputs[row] >= 0)
                ones[row * columns + inputs[row]] = 1;
        }
        return new(new(copy.Memory, DType.F32, inputs.Length, columns), []);
    }

    float[] Groups(NormSpec spec, int width, string suffix)
    {
        if (spec.Name is null)
        {
            var ones = new float[width];
            Array.Fill(ones, 1);
            return ones;
        }
        var part = width / spec.Groups;
        return spec.GroupWeights switch
        {
            GroupWeights.Stacked => Vector($"{spec.Name}.{suffix}", spec.Groups, part),
            GroupWeights.Numbered =>
                [.. Enumerable.Range(0, spec.Groups).SelectMany(i => Vector($"{spec.Name}.{i}.{suffix}", part))],
            _ => [.. Enumerable.Repeat(Vector($"{spec.Name}.{suffix}", part), spec.Groups).SelectMany(v => v)],
        };
    }
}
