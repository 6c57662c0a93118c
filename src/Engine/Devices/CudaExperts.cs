using Hearth.Cuda;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>A layer's mixture of experts on a card: each pair of a row and an expert that it chose is computed by itself, so
/// nothing waits for the processor and a row's result is its own. With many rows the weights are read many times over: prompts
/// of such models are slow.</summary>
sealed class CudaExperts
{
    readonly RoutingShape _routing;
    readonly ulong _corrections;
    readonly int _activation;
    readonly DType _type;
    readonly (ulong Weights, ulong Biases, int Rows, int Columns)[] _in;
    readonly (ulong Weights, ulong Biases, int Rows, int Columns) _out;

    /// <exception cref="CudaException">The experts' weights are of several types.</exception>
    public CudaExperts(
        CudaWeights weights, in RoutingShape routing, float[] corrections, ActivationKind activation,
        IReadOnlyList<(CudaLinear[] In, CudaLinear Out)> experts)
    {
        (_routing, _activation, _type) = (routing, (int)activation, experts[0].Out.Type);
        if (experts.Any(e => e.In.Append(e.Out).Any(linear => linear.Type != experts[0].Out.Type)))
        {
            throw new CudaException(
                "This model's experts are stored in several types, which cards do not compute with: use --device cpu.");
        }
        _corrections = weights.Vector(corrections);
        _in = [.. Enumerable.Range(0, experts[0].In.Length).Select(i => Table(weights, [.. experts.Select(e => e.In[i])]))];
        _out = Table(weights, [.. experts.Select(e => e.Out)]);
    }

    /// <param name="identity">Address of i32 0, 1, 2, … for every pair.</param>
    public void Mix(
        CudaOperations operations, GrowingMemory scratch, ulong identity, ulong scores, ulong source, ulong target, int rows)
    {
        var (pairs, middle, width) = (rows * _routing.Chosen, _out.Columns, _out.Rows);
        var sizes = (ReadOnlySpan<long>)[pairs, pairs, (long)pairs * middle, (long)pairs * middle, (long)pairs * width];
        Span<ulong> parts = stackalloc ulong[sizes.Length];
        Take(scratch, sizes, parts);
        var (chosen, weights, gate, up, results) = (parts[0], parts[1], parts[2], parts[3], parts[4]);
        operations.Route(rows, new(
            scores, _corrections, chosen, weights, _routing.Experts, _routing.Chosen, _routing.Sigmoid ? 1 : 0,
            _routing.Normalize ? 1 : 0, _routing.Scale, _routing.Groups, _routing.GroupsChosen));
        for (var i = 0; i < _in.Length; i++)
            Multiply(operations, _in[i], chosen, source, i == 0 ? gate : up, pairs, isShared: true);
        operations.Activate(DType.F32, gate, _in.Length == 2 ? up : 0, gate, (long)pairs * middle, _activation);
        Multiply(operations, _out, chosen, gate, results, pairs, isShared: false);
        operations.CombineRows(rows, new(results, identity, weights, target, _routing.Chosen, width, 0));
    }

    /// <summary>Most pairs of a step.</summary>
    public int PairsOf(int rows) => rows * _routing.Chosen;

    void Multiply(
        CudaOperations operations, in (ulong Weights, ulong Biases, int Rows, int Columns) map, ulong chosen, ulong source,
        ulong target, int pairs, bool isShared) =>
        operations.GemvExperts(_type, pairs, new(
            map.Weights, map.Biases, chosen, source, target, map.Rows, map.Columns, _routing.Chosen, isShared ? 1 : 0));

    static (ulong, ulong, int, int) Table(CudaWeights weights, CudaLinear[] linears) => (
        weights.Numbers<ulong>([.. linears.Select(l => l.Weights)]),
        linears.All(l => l.Bias == 0) ? 0 : weights.Numbers<ulong>([.. linears.Select(l => l.Bias)]),
        linears[0].Rows, linears[0].Columns);

    static void Take(GrowingMemory scratch, ReadOnlySpan<long> numbers, Span<ulong> parts)
    {
        var bytes = 0L;
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = (ulong)bytes;
            bytes += (numbers[i] * sizeof(float) + 255) & ~255;
        }
        var start = scratch.Reserve(bytes);
        foreach (ref var part in parts)
            part += start;
    }
}
