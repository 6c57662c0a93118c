namespace Hearth.Kernels;

/// <summary>The portable kernels for one vector width; each body lies beside its operation.</summary>
sealed unsafe class VectorKernels<S, V>(string name) : KernelSet(name) where S : struct, ISimd<V> where V : struct
{
    internal override void Widen(DType type, byte* source, float* target, nint n) =>
        Weights.Run(type, new WidenRun(source, target, n));

    internal override void Narrow(DType type, float* source, byte* target, nint n)
    {
        switch (type)
        {
            case DType.F32: ConvertKernel<S, V>.Narrow<ElementF32>(source, target, n); break;
            case DType.F16: ConvertKernel<S, V>.Narrow<ElementF16>(source, target, n); break;
            case DType.BF16: ConvertKernel<S, V>.Narrow<ElementBF16>(source, target, n); break;
        }
    }

    internal override int Lanes => S.Lanes;

    internal override int TileRows => TileKernel<S, V>.Rows;

    internal override int TileColumns => TileKernel<S, V>.Columns;

    internal override void MultiplyRow(DType type, float* a, byte* w, int rows, int k, float* sums) =>
        Weights.Run(type, new MultiplyRowRun(type, a, w, rows, k, sums));

    internal override void Pack(DType type, byte* source, nint stride, int rows, int tileRows, int columns, float* target) =>
        Weights.Run(type, new PackRun(source, stride, rows, tileRows, columns, target));

    internal override void MultiplyTile(float* a, float* w, int steps, float* sums, bool first, byte* ahead) =>
        TileKernel<S, V>.Multiply(a, w, steps, sums, first, ahead);

    internal override void AddProducts(DType type, in OuterArguments arguments, byte* ahead, byte* later)
    {
        switch (type)
        {
            case DType.F32: OuterKernel<S, V>.Add<ElementF32>(arguments, ahead, later); break;
            case DType.F16: OuterKernel<S, V>.Add<ElementF16>(arguments, ahead, later); break;
            case DType.BF16: OuterKernel<S, V>.Add<ElementBF16>(arguments, ahead, later); break;
        }
    }

    internal override void Weigh(float* scores, int width, float cap, float* max, float* sum) =>
        OnlineSoftmaxKernel<S, V>.Weigh(scores, width, cap, max, sum);

    internal override void Blend(float* x, float a, float* y, float b, int n) => OnlineSoftmaxKernel<S, V>.Blend(x, a, y, b, n);

    internal override void AddRamp(float* x, float slope, float from, int n) =>
        OnlineSoftmaxKernel<S, V>.AddRamp(x, slope, from, n);

    internal override void RmsNorm(float* x, float* weight, float weightOffset, float epsilon, float* y, int n) =>
        NormKernel<S, V>.Rms(x, weight, weightOffset, epsilon, y, n);

    internal override void LayerNorm(float* x, float* weight, float* bias, float epsilon, float* y, int n) =>
        NormKernel<S, V>.Layer(x, weight, bias, epsilon, y, n);

    internal override void Softmax(float* x, int n) => SoftmaxKernel<S, V>.Softmax(x, n);

    internal override float LogSumExp(float* x, int n) => SoftmaxKernel<S, V>.LogSumExp(x, n);

    internal override float Max(float* x, int n) => SoftmaxKernel<S, V>.Max(x, n);

    internal override void Map(MapKind kind, float* a, float* b, float scalar, float* y, int n) =>
        MapKernel<S, V>.Map(kind, a, b, scalar, y, n);

    internal override void RotatePairs(float* first, float* second, float* cos, float* sin, int n) =>
        RopeKernel<S, V>.Rotate(first, second, cos, sin, n);

    readonly struct WidenRun(byte* source, float* target, nint n) : IWeightRun
    {
        public void Run<E>() where E : struct, IWeight => ConvertKernel<S, V>.Widen<E>(source, target, n);
    }

    readonly struct MultiplyRowRun(DType type, float* a, byte* w, int rows, int k, float* sums) : IWeightRun
    {
        public void Run<E>() where E : struct, IWeight => GemvKernel<S, V>.Multiply<E>(type, a, w, rows, k, sums);
    }

    readonly struct PackRun(byte* source, nint stride, int rows, int tileRows, int columns, float* target) : IWeightRun
    {
        public void Run<E>() where E : struct, IWeight =>
            PackKernel<S, V>.Pack<E>(source, stride, rows, tileRows, columns, target);
    }
}
