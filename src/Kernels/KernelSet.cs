using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>
/// The inner loops, all on one thread and over raw memory. Operations call these and nothing else that depends on the machine,
/// so that another set (machine code emitted at run time, say) joins by deriving from one of these and overriding what it does
/// better.
/// </summary>
public abstract unsafe class KernelSet
{
    private protected KernelSet(string name) => Name = name;

    public static KernelSet Vector512 { get; } = new VectorKernels<Simd512, Vector512<float>>("512");

    public static KernelSet Vector256 { get; } = new VectorKernels<Simd256, Vector256<float>>("256");

    public static KernelSet Scalar { get; } = new VectorKernels<SimdScalar, float>("scalar");

    /// <summary>The widest that the machine has, or the one that HEARTH_KERNELS names: 512, 256 or scalar.</summary>
    public static KernelSet Default { get; } = Choose(Environment.GetEnvironmentVariable("HEARTH_KERNELS"));

    public string Name { get; }

    public override string ToString() => Name;

    internal static KernelSet Choose(string? name) => name switch
    {
        null or "" => System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated ? Vector512
            : System.Runtime.Intrinsics.Vector256.IsHardwareAccelerated ? Vector256 : Scalar,
        "512" => Vector512,
        "256" => Vector256,
        "scalar" => Scalar,
        _ => throw new ArgumentException($"HEARTH_KERNELS={name}: no such kernels; use 512, 256 or scalar", nameof(name)),
    };

    // Formats: n consecutive elements.
    internal abstract void Widen(DType type, byte* source, float* target, nint n);

    internal abstract void Narrow(DType type, float* source, byte* target, nint n);

    // Matrix products: see ReductionOrder for what MultiplyRow and MultiplyTile must agree on.
    internal abstract int Lanes { get; }

    internal abstract int TileRows { get; }

    internal abstract int TileColumns { get; }

    /// <summary>Columns rounded up to whole vectors.</summary>
    internal int Padded(int columns) => (columns + Lanes - 1) / Lanes * Lanes;

    internal abstract void MultiplyRow(DType type, float* a, byte* w, int rows, int k, float* sums);

    internal abstract void Pack(DType type, byte* source, nint stride, int rows, int tileRows, int columns, float* target);

    internal abstract void MultiplyTile(float* a, float* w, int steps, float* sums, bool first, byte* ahead);

    // Attention.
    internal abstract void AddProducts(DType type, in OuterArguments arguments, byte* ahead, byte* later);

    /// <summary>scores = exp(score - max); gives the maximum and the sum.</summary>
    internal abstract void Weigh(float* scores, int width, float cap, float* max, float* sum);

    /// <summary>x = x * a + y * b.</summary>
    internal abstract void Blend(float* x, float a, float* y, float b, int n);

    /// <summary>x[i] += slope * (from + i); from is a whole number.</summary>
    internal abstract void AddRamp(float* x, float slope, float from, int n);

    // Rows of n.
    internal abstract void RmsNorm(float* x, float* weight, float weightOffset, float epsilon, float* y, int n);

    internal abstract void LayerNorm(float* x, float* weight, float* bias, float epsilon, float* y, int n);

    /// <summary>x = exp(x - max) / sum.</summary>
    internal abstract void Softmax(float* x, int n);

    internal abstract float LogSumExp(float* x, int n);

    internal abstract float Max(float* x, int n);

    internal abstract void Map(MapKind kind, float* a, float* b, float scalar, float* y, int n);

    /// <summary>Rotates pairs (first[i], second[i]) by the angles whose cosines and sines are given.</summary>
    internal abstract void RotatePairs(float* first, float* second, float* cos, float* sin, int n);
}

/// <summary>Element-wise y = f(a, b). Activations stand in <see cref="ActivationKind"/>'s order, plain and then gated.</summary>
enum MapKind
{
    Add,
    AddScaled,
    AddScalar,
    Scale,
    Clip,
    SoftCap,
    Silu,
    GeluTanh,
    GeluErf,
    Relu,
    ReluSquared,
    SiluGated,
    GeluTanhGated,
    GeluErfGated,
    ReluGated,
    ReluSquaredGated,
}
