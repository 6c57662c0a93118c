using System.Globalization;
using Hearth.Kernels;

namespace Hearth.Cuda;

/// <summary>The kernels by name. One with types is <c>name_type</c>: gemv_bf16.</summary>
sealed class CudaKernels(CudaModules modules)
{
    readonly Dictionary<string, object> _found = [];

    /// <exception cref="CudaException">There is none for the type.</exception>
    public CudaKernel<T> Of<T>(string name) where T : unmanaged
    {
        if (!_found.TryGetValue(name, out var kernel))
            _found.Add(name, kernel = modules.Kernel<T>(name));
        return (CudaKernel<T>)kernel;
    }

    public CudaKernel<T> Of<T>(string name, DType type) where T : unmanaged => Of<T>(name + Suffix(type));

    /// <param name="size">Completes the name where a kernel is made for one size: attend_decode_f16_128; 0 for none.</param>
    public CudaKernel<T> Of<T>(string name, DType type, int size) where T : unmanaged =>
        size == 0 ? Of<T>(name, type) : Of<T>(string.Create(CultureInfo.InvariantCulture, $"{name}{Suffix(type)}_{size}"));

    static string Suffix(DType type) => type switch { DType.F32 => "_f32", DType.F16 => "_f16", _ => "_bf16" };
}
