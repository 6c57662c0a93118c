using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>A layer's experts: each takes the rows that chose it, together; a row's results are added in the experts'
/// order.</summary>
sealed class CpuExperts(KernelContext context, RoutingShape routing, float[] corrections, ActivationKind activation,
    (LinearWeights[] In, LinearWeights Out)[] experts)
{
    /// <summary>Floats that <see cref="Mix"/> needs for each row.</summary>
    public int ScratchWidth { get; } = routing.Experts + 2 * experts[0].Out.Weights.Rows + 2 * experts[0].Out.Weights.Columns;

    /// <param name="scores">[rows, experts]; overwritten.</param>
    /// <param name="source">[rows, width]; target alike.</param>
    /// <param name="memory">[rows, ScratchWidth]</param>
    public void Mix(Span<float> scores, ReadOnlySpan<float> source, Span<float> target, Span<float> memory)
    {
        var rows = scores.Length / routing.Experts;
        var (width, middle) = (source.Length / rows, experts[0].Out.Weights.Columns);
        var weights = Cut(ref memory, scores.Length);
        var taken = Cut(ref memory, source.Length);
        var given = Cut(ref memory, source.Length);
        var gate = Cut(ref memory, rows * middle);
        var up = Cut(ref memory, rows * middle);
        Routing.Choose(context, routing, scores, corrections, weights);
        target.Clear();
        for (var expert = 0; expert < experts.Length; expert++)
        {
            var count = ExpertRows.Gather(context, source, weights, expert, routing.Experts, taken);
            if (count == 0)
                continue;
            Run(experts[expert], count, taken[..(count * width)], gate[..(count * middle)], up[..(count * middle)],
                given[..(count * width)]);
            ExpertRows.Scatter(context, given, weights, expert, routing.Experts, target);
        }
    }

    void Run((LinearWeights[] In, LinearWeights Out) expert, int rows, ReadOnlySpan<float> taken, Span<float> gate,
        Span<float> up, Span<float> given)
    {
        if (expert.In is [var first, var second])
        {
            MatMul.Compute(context, taken, rows, new Product(first.Weights, gate, first.Bias),
                new Product(second.Weights, up, second.Bias));
            Elementwise.Activate(context, activation, gate, up, gate);
        }
        else
        {
            MatMul.Compute(context, taken, rows, new Product(expert.In[0].Weights, gate, expert.In[0].Bias));
            Elementwise.Activate(context, activation, gate, [], gate);
        }
        MatMul.Compute(context, gate, rows, new Product(expert.Out.Weights, given, expert.Out.Bias));
    }

    static Span<float> Cut(ref Span<float> memory, int floats)
    {
        var part = memory[..floats];
        memory = memory[floats..];
        return part;
    }
}
