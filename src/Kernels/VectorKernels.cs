namespace Hearth.Kernels;

/// <summary>The portable kernels for one vector width; each body lies beside its operation.</summary>
sealed unsafe class VectorKernels<S, V>(string name) : KernelSet(name) where S : struct, ISimd<V> where V : struct
{
    internal override void Widen(DType type, byte* source, float* target, nint n)
    {
        switch (type)
        {
            case DType.F32: ConvertKernel<S, V>.Widen<ElementF32>(source, target, n); break;
            case DType.F16: ConvertKernel<S, V>.Widen<ElementF16>(source, target, n); break;
            case DType.BF16: ConvertKernel<S, V>.Widen<ElementBF16>(source, target, n); break;
        }
    }

    internal override void Narrow(DType type, float* source, byte* target, nint n)
    {
        switch (type)
        {
            case DType.F32: ConvertKernel<S, V>.Narrow<ElementF32>(source, target, n); break;
            case DType.F16: ConvertKernel<S, V>.Narrow<ElementF16>(source, target, n); break;
            case DType.BF16: ConvertKernel<S, V>.Narrow<ElementBF16>(source, target, n); break;
        }
    }

    internal override void RmsNorm(float* x, float* weight, float weightOffset, float epsilon, float* y, int n) =>
        NormKernel<S, V>.Rms(x, weight, weightOffset, epsilon, y, n);

    internal override void LayerNorm(float* x, float* weight, float* bias, float epsilon, float* y, int n) =>
        NormKernel<S, V>.Layer(x, weight, bias, epsilon, y, n);

    internal override float Softmax(float* x, int n) => SoftmaxKernel<S, V>.Softmax(x, n);

    internal override float LogSumExp(float* x, int n) => SoftmaxKernel<S, V>.LogSumExp(x, n);

    internal override float Max(float* x, int n) => SoftmaxKernel<S, V>.Max(x, n);

    internal override void Map(MapKind kind, float* a, float* b, float scalar, float* y, int n) =>
        MapKernel<S, V>.Map(kind, a, b, scalar, y, n);

    internal override void RotatePairs(float* first, float* second, float* cos, float* sin, int n) =>
        RopeKernel<S, V>.Rotate(first, second, cos, sin, n);
}
