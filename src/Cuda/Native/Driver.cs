using System.Runtime.InteropServices;

namespace Hearth.Cuda.Native;

/// <summary>The driver API by its exports, the oldest sufficient ones (CUDA 12.0). Handles are nint, device addresses
/// ulong.</summary>
static unsafe partial class Driver
{
    const string Lib = NativeLibraries.Driver;

    // Errors, system and devices.
    [LibraryImport(Lib)] public static partial CudaResult cuInit(uint flags);
    [LibraryImport(Lib)] public static partial CudaResult cuGetErrorName(CudaResult result, byte** text);
    [LibraryImport(Lib)] public static partial CudaResult cuGetErrorString(CudaResult result, byte** text);
    [LibraryImport(Lib)] public static partial CudaResult cuDriverGetVersion(int* version);
    [LibraryImport(Lib)] public static partial CudaResult cuDeviceGetCount(int* count);
    [LibraryImport(Lib)] public static partial CudaResult cuDeviceGet(int* device, int ordinal);
    [LibraryImport(Lib)] public static partial CudaResult cuDeviceGetName(byte* name, int length, int device);
    [LibraryImport(Lib)] public static partial CudaResult cuDeviceGetUuid_v2(byte* uuid16, int device);
    [LibraryImport(Lib)] public static partial CudaResult cuDeviceTotalMem_v2(nuint* bytes, int device);
    [LibraryImport(Lib)] public static partial CudaResult cuDeviceGetAttribute(int* value, DeviceAttribute attribute, int device);
    [LibraryImport(Lib)] public static partial CudaResult cuDeviceCanAccessPeer(int* can, int device, int peer);

    // Contexts: the primary ones only.
    [LibraryImport(Lib)] public static partial CudaResult cuDevicePrimaryCtxRetain(nint* context, int device);
    [LibraryImport(Lib)] public static partial CudaResult cuDevicePrimaryCtxRelease_v2(int device);
    [LibraryImport(Lib)] public static partial CudaResult cuCtxSetCurrent(nint context);
    [LibraryImport(Lib)] public static partial CudaResult cuCtxSynchronize();

    // Streams and events.
    [LibraryImport(Lib)] public static partial CudaResult cuStreamCreateWithPriority(nint* stream, uint flags, int priority);
    [LibraryImport(Lib)] public static partial CudaResult cuStreamDestroy_v2(nint stream);
    [LibraryImport(Lib)] public static partial CudaResult cuStreamSynchronize(nint stream);
    [LibraryImport(Lib)] public static partial CudaResult cuStreamWaitEvent(nint stream, nint happening, uint flags);
    [LibraryImport(Lib)] public static partial CudaResult cuEventCreate(nint* happening, uint flags);
    [LibraryImport(Lib)] public static partial CudaResult cuEventRecord(nint happening, nint stream);
    [LibraryImport(Lib)] public static partial CudaResult cuEventQuery(nint happening);
    [LibraryImport(Lib)] public static partial CudaResult cuEventSynchronize(nint happening);
    [LibraryImport(Lib)] public static partial CudaResult cuEventElapsedTime(float* milliseconds, nint start, nint end);
    [LibraryImport(Lib)] public static partial CudaResult cuEventDestroy_v2(nint happening);

    // Memory.
    [LibraryImport(Lib)] public static partial CudaResult cuMemGetInfo_v2(nuint* free, nuint* total);
    [LibraryImport(Lib)] public static partial CudaResult cuMemAlloc_v2(ulong* address, nuint bytes);
    [LibraryImport(Lib)] public static partial CudaResult cuMemFree_v2(ulong address);
    [LibraryImport(Lib)] public static partial CudaResult cuMemHostAlloc(void** memory, nuint bytes, uint flags);
    [LibraryImport(Lib)] public static partial CudaResult cuMemFreeHost(void* memory);
    [LibraryImport(Lib)] public static partial CudaResult cuMemcpyHtoDAsync_v2(ulong to, void* from, nuint bytes, nint stream);
    [LibraryImport(Lib)] public static partial CudaResult cuMemcpyDtoHAsync_v2(void* to, ulong from, nuint bytes, nint stream);
    [LibraryImport(Lib)] public static partial CudaResult cuMemcpyDtoDAsync_v2(ulong to, ulong from, nuint bytes, nint stream);
    [LibraryImport(Lib)] public static partial CudaResult cuMemsetD8Async(ulong to, byte value, nuint count, nint stream);

    [LibraryImport(Lib)]
    public static partial CudaResult cuMemcpyPeerAsync(
        ulong to, nint toContext, ulong from, nint fromContext, nuint bytes, nint stream);

    // Modules and launches.
    [LibraryImport(Lib)]
    public static partial CudaResult cuModuleLoadDataEx(nint* module, void* image, uint options, int* names, void** values);

    [LibraryImport(Lib)] public static partial CudaResult cuModuleGetFunction(nint* function, nint module, byte* name);
    [LibraryImport(Lib)] public static partial CudaResult cuModuleUnload(nint module);
    [LibraryImport(Lib)] public static partial CudaResult cuFuncSetAttribute(nint function, int attribute, int value);
    [LibraryImport(Lib)] public static partial CudaResult cuFuncGetAttribute(int* value, int attribute, nint function);

    [LibraryImport(Lib)]
    public static partial CudaResult cuLaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ,
        uint sharedBytes, nint stream, void** parameters, void** extra);

    // Graphs.
    [LibraryImport(Lib)] public static partial CudaResult cuStreamBeginCapture_v2(nint stream, int mode);
    [LibraryImport(Lib)] public static partial CudaResult cuStreamEndCapture(nint stream, nint* graph);
    [LibraryImport(Lib)] public static partial CudaResult cuGraphInstantiateWithFlags(nint* exec, nint graph, ulong flags);
    [LibraryImport(Lib)] public static partial CudaResult cuGraphUpload(nint exec, nint stream);
    [LibraryImport(Lib)] public static partial CudaResult cuGraphLaunch(nint exec, nint stream);
    [LibraryImport(Lib)] public static partial CudaResult cuGraphExecDestroy(nint exec);
    [LibraryImport(Lib)] public static partial CudaResult cuGraphDestroy(nint graph);

    // Newer drivers only: found by name (12.4).
    public static delegate* unmanaged<nint, CudaResult> FuncLoad { get; } =
        (delegate* unmanaged<nint, CudaResult>)NativeLibraries.Optional(Lib, "cuFuncLoad");

    public static delegate* unmanaged<nint, nuint, nuint*, nuint*, CudaResult> FuncGetParamInfo { get; } =
        (delegate* unmanaged<nint, nuint, nuint*, nuint*, CudaResult>)NativeLibraries.Optional(Lib, "cuFuncGetParamInfo");
}

/// <summary>CUdevice_attribute.</summary>
enum DeviceAttribute
{
    Multiprocessors = 16,
    MemoryClockKilohertz = 36,
    MemoryBusBits = 37,
    L2Bytes = 38,
    ComputeMajor = 75,
    ComputeMinor = 76,
    SharedBytesPerBlockOptIn = 97,
}

/// <summary>CUfunction_attribute.</summary>
static class FunctionAttribute
{
    public const int StaticSharedBytes = 1, LocalBytes = 3, Registers = 4, DynamicSharedBytesMax = 8;
}
