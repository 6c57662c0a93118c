namespace Hearth.Kernels;

/// <summary>One product C = A W^T of a run: weights [n, k], optional bias [n], result [m, n].</summary>
/// <param name="accumulate">Add to what the result holds (a residual) rather than overwrite it.</param>
public readonly ref struct Product(MatrixView weights, Span<float> result, ReadOnlySpan<float> bias = default, bool accumulate = false)
{
    public MatrixView Weights { get; } = weights;

    public Span<float> Result { get; } = result;

    public ReadOnlySpan<float> Bias { get; } = bias;

    public bool Accumulate { get; } = accumulate;
}

/// <summary>
/// Matrix products of f32 activations with weights in their stored type, summed in f32. Each element of the result is summed in
/// one order that depends on k and the kernel set alone, so that a row does not change with m, its neighbours or the threads.
/// </summary>
public static unsafe class MatMul
{
    /// <param name="a">[m, k]</param>
    public static void Compute(KernelContext context, ReadOnlySpan<float> a, int m, in Product first)
    {
        Span<Target> targets = stackalloc Target[1];
        fixed (float* c0 = first.Result, b0 = first.Bias)
        {
            targets[0] = TargetOf(first, c0, b0, a.Length, m);
            Run(context, a, m, targets);
        }
    }

    /// <summary>Two products of the same activations in one run, e.g. gate and up.</summary>
    public static void Compute(KernelContext context, ReadOnlySpan<float> a, int m, in Product first, in Product second)
    {
        Span<Target> targets = stackalloc Target[2];
        fixed (float* c0 = first.Result, b0 = first.Bias, c1 = second.Result, b1 = second.Bias)
        {
            targets[0] = TargetOf(first, c0, b0, a.Length, m);
            targets[1] = TargetOf(second, c1, b1, a.Length, m);
            Run(context, a, m, targets);
        }
    }

    /// <summary>Three products of the same activations in one run, e.g. query, key and value.</summary>
    public static void Compute(KernelContext context, ReadOnlySpan<float> a, int m, in Product first, in Product second,
        in Product third)
    {
        Span<Target> targets = stackalloc Target[3];
        fixed (float* c0 = first.Result, b0 = first.Bias, c1 = second.Result, b1 = second.Bias)
        fixed (float* c2 = third.Result, b2 = third.Bias)
        {
            targets[0] = TargetOf(first, c0, b0, a.Length, m);
            targets[1] = TargetOf(second, c1, b1, a.Length, m);
            targets[2] = TargetOf(third, c2, b2, a.Length, m);
            Run(context, a, m, targets);
        }
    }

    static void Run(KernelContext context, ReadOnlySpan<float> a, int m, ReadOnlySpan<Target> targets)
    {
        fixed (float* pa = a)
        {
            foreach (ref readonly var target in targets)
            {
                Reference(context, pa, m, target);
            }
        }
    }

    static void Reference(KernelContext context, float* a, int m, in Target target)
    {
        var k = target.K;
        var row = (float*)context.Scratch.Reserve(k * sizeof(float));
        for (var j = 0; j < target.N; j++)
        {
            context.Kernels.Widen(target.Type, target.W + (nint)j * k * target.Type.Size(), row, k);
            for (var i = 0; i < m; i++)
            {
                var sum = 0f;
                for (var l = 0; l < k; l++)
                {
                    sum = MathF.FusedMultiplyAdd(a[(nint)i * k + l], row[l], sum);
                }
                sum += target.Bias == null ? 0 : target.Bias[j];
                var c = target.C + (nint)i * target.N + j;
                *c = target.Accumulate ? *c + sum : sum;
            }
        }
    }

    static Target TargetOf(in Product product, float* c, float* bias, int activations, int m)
    {
        var (n, k) = (product.Weights.Rows, product.Weights.Columns);
        ArgumentOutOfRangeException.ThrowIfNegative(m);
        Check.Length(activations, (long)m * k, "a");
        Check.Length(product.Result.Length, (long)m * n, "result");
        Check.Length(product.Bias.Length, product.Bias.IsEmpty ? 0 : n, "bias");
        return new Target
        {
            W = product.Weights.Address,
            Type = product.Weights.Type,
            N = n,
            K = k,
            Bias = product.Bias.IsEmpty ? null : bias,
            C = c,
            Accumulate = product.Accumulate,
        };
    }
}

/// <summary>A <see cref="Product"/> as addresses.</summary>
unsafe struct Target
{
    public byte* W;
    public float* Bias;
    public float* C;
    public DType Type;
    public int N;
    public int K;
    public bool Accumulate;
}
