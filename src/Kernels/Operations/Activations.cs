using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>Element-wise functions; outputs may be inputs.</summary>
public static unsafe class Elementwise
{
    /// <summary>target += other.</summary>
    public static void Add(KernelContext context, Span<float> target, ReadOnlySpan<float> other)
    {
        Check.Length(other.Length, target.Length, nameof(other));
        Run(context, MapKind.Add, target, other, 0, target);
    }

    /// <summary>x *= factor.</summary>
    public static void Scale(KernelContext context, Span<float> x, float factor) => Run(context, MapKind.Scale, x, [], factor, x);

    public static void Relu(KernelContext context, ReadOnlySpan<float> x, Span<float> output) =>
        Run(context, MapKind.Relu, x, [], 0, output);

    /// <summary>x * sigmoid(x).</summary>
    public static void Silu(KernelContext context, ReadOnlySpan<float> x, Span<float> output) =>
        Run(context, MapKind.Silu, x, [], 0, output);

    /// <summary>GELU by tanh, as gelu_new and gelu_pytorch_tanh.</summary>
    public static void GeluTanh(KernelContext context, ReadOnlySpan<float> x, Span<float> output) =>
        Run(context, MapKind.GeluTanh, x, [], 0, output);

    /// <summary>GELU by the error function, as gelu.</summary>
    public static void GeluErf(KernelContext context, ReadOnlySpan<float> x, Span<float> output) =>
        Run(context, MapKind.GeluErf, x, [], 0, output);

    /// <summary>silu(gate) * up.</summary>
    public static void SwiGlu(KernelContext context, ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> output)
    {
        Check.Length(up.Length, gate.Length, nameof(up));
        Run(context, MapKind.SwiGlu, gate, up, 0, output);
    }

    /// <summary>gelu_tanh(gate) * up.</summary>
    public static void GeGlu(KernelContext context, ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> output)
    {
        Check.Length(up.Length, gate.Length, nameof(up));
        Run(context, MapKind.GeGlu, gate, up, 0, output);
    }

    static void Run(KernelContext context, MapKind kind, ReadOnlySpan<float> a, ReadOnlySpan<float> b, float scalar,
        Span<float> y)
    {
        Check.Length(y.Length, a.Length, "output");
        fixed (float* pa = a, pb = b, py = y)
        {
            // A row is one step of elements: lanes see the same neighbours whatever the number of threads.
            const int Step = 4096;
            var job = new Job(context.Kernels, kind, pa, pb, scalar, py, a.Length, Step);
            RowRuns.Run(context, new RowJob<Job>(job, (a.Length + Step - 1) / Step, 1), a.Length);
        }
    }

    readonly struct Job(KernelSet kernels, MapKind kind, float* a, float* b, float scalar, float* y, int length, int step)
        : IRowJob
    {
        public void Execute(int from, int to)
        {
            var start = from * step;
            var end = (int)Math.Min(length, (long)to * step);
            kernels.Map(kind, a + start, b == null ? null : b + start, scalar, y + start, end - start);
        }
    }
}

static unsafe class MapKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    public static void Map(MapKind kind, float* a, float* b, float scalar, float* y, int n)
    {
        switch (kind)
        {
            case MapKind.Add: Loop<AddMap>(a, b, scalar, y, n); break;
            case MapKind.AddScalar: Loop<AddScalarMap>(a, a, scalar, y, n); break;
            case MapKind.Scale: Loop<ScaleMap>(a, a, scalar, y, n); break;
            case MapKind.Relu: Loop<ReluMap>(a, a, scalar, y, n); break;
            case MapKind.Silu: Loop<SiluMap>(a, a, scalar, y, n); break;
            case MapKind.GeluTanh: Loop<GeluTanhMap>(a, a, scalar, y, n); break;
            case MapKind.GeluErf: Loop<GeluErfMap>(a, a, scalar, y, n); break;
            case MapKind.SwiGlu: Loop<SwiGluMap>(a, b, scalar, y, n); break;
            case MapKind.GeGlu: Loop<GeGluMap>(a, b, scalar, y, n); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Loop<M>(float* a, float* b, float scalar, float* y, int n) where M : struct, IMap
    {
        var i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            S.Store(M.Of<S, V>(S.Load(a + i), S.Load(b + i), scalar), y + i);
        }
        if (i < n)
        {
            S.StorePart(M.Of<S, V>(S.LoadPart(a + i, n - i), S.LoadPart(b + i, n - i), scalar), y + i, n - i);
        }
    }
}
