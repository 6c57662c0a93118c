using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>The functions between the halves of an MLP.</summary>
public enum ActivationKind
{
    /// <summary>x * sigmoid(x).</summary>
    Silu,

    /// <summary>GELU by tanh, as transformers' gelu_new, gelu_pytorch_tanh and gelu_fast.</summary>
    GeluTanh,

    /// <summary>GELU by the error function, as transformers' gelu.</summary>
    GeluErf,
    Relu,

    /// <summary>relu(x)^2.</summary>
    ReluSquared,
}

/// <summary>Element-wise functions; outputs may be inputs.</summary>
public static unsafe class Elementwise
{
    /// <summary>target += other.</summary>
    public static void Add(KernelContext context, Span<float> target, ReadOnlySpan<float> other)
    {
        Check.Length(other.Length, target.Length, nameof(other));
        Run(context, MapKind.Add, target, other, 0, target);
    }

    /// <summary>target += other * factor.</summary>
    public static void AddScaled(KernelContext context, Span<float> target, ReadOnlySpan<float> other, float factor)
    {
        Check.Length(other.Length, target.Length, nameof(other));
        Run(context, MapKind.AddScaled, target, other, factor, target);
    }

    /// <summary>x *= factor.</summary>
    public static void Scale(KernelContext context, Span<float> x, float factor) => Run(context, MapKind.Scale, x, [], factor, x);

    /// <summary>x into [-limit, limit].</summary>
    public static void Clip(KernelContext context, Span<float> x, float limit) => Run(context, MapKind.Clip, x, [], limit, x);

    /// <summary>x = cap * tanh(x / cap).</summary>
    public static void SoftCap(KernelContext context, Span<float> x, float cap) => Run(context, MapKind.SoftCap, x, [], cap, x);

    /// <summary>output = f(x), or f(x) * up.</summary>
    /// <param name="up">As long as x, or empty.</param>
    public static void Activate(KernelContext context, ActivationKind kind, ReadOnlySpan<float> x, ReadOnlySpan<float> up,
        Span<float> output)
    {
        Check.Length(up.Length, up.IsEmpty ? 0 : x.Length, nameof(up));
        var gated = up.IsEmpty ? MapKind.Silu : MapKind.SiluGated;
        Run(context, gated + (int)kind, x, up, 0, output);
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
            case MapKind.AddScaled: Loop<AddScaledMap>(a, b, scalar, y, n); break;
            case MapKind.AddScalar: Loop<AddScalarMap>(a, a, scalar, y, n); break;
            case MapKind.Scale: Loop<ScaleMap>(a, a, scalar, y, n); break;
            case MapKind.Clip: Loop<ClipMap>(a, a, scalar, y, n); break;
            case MapKind.SoftCap: Loop<SoftCapMap>(a, a, scalar, y, n); break;
            case MapKind.Silu: Loop<SiluMap>(a, a, scalar, y, n); break;
            case MapKind.GeluTanh: Loop<GeluTanhMap>(a, a, scalar, y, n); break;
            case MapKind.GeluErf: Loop<GeluErfMap>(a, a, scalar, y, n); break;
            case MapKind.Relu: Loop<ReluMap>(a, a, scalar, y, n); break;
            case MapKind.ReluSquared: Loop<ReluSquaredMap>(a, a, scalar, y, n); break;
            case MapKind.SiluGated: Loop<Gated<SiluMap>>(a, b, scalar, y, n); break;
            case MapKind.GeluTanhGated: Loop<Gated<GeluTanhMap>>(a, b, scalar, y, n); break;
            case MapKind.GeluErfGated: Loop<Gated<GeluErfMap>>(a, b, scalar, y, n); break;
            case MapKind.ReluGated: Loop<Gated<ReluMap>>(a, b, scalar, y, n); break;
            case MapKind.ReluSquaredGated: Loop<Gated<ReluSquaredMap>>(a, b, scalar, y, n); break;
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
