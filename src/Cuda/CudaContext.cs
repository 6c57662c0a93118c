using Hearth.Cuda.Native;

namespace Hearth.Cuda;

/// <summary>A card's primary context, which all of the process shares. "Current" belongs to a thread, so whoever calls the
/// driver makes it current first.</summary>
sealed unsafe class CudaContext : IDisposable
{
    [ThreadStatic]
    static nint _current;

    readonly int _device;
    bool _isDisposed;

    /// <exception cref="CudaException">There is no such card, or it cannot be used.</exception>
    public CudaContext(int ordinal)
    {
        Info = CudaSystem.Describe(ordinal);
        int device;
        Driver.cuDeviceGet(&device, ordinal).Check();
        nint context;
        Driver.cuDevicePrimaryCtxRetain(&context, device).Check();
        (_device, Handle) = (device, context);
    }

    public CudaDeviceInfo Info { get; }
    public nint Handle { get; }

    public void MakeCurrent()
    {
        if (_current == Handle)
            return;
        Driver.cuCtxSetCurrent(Handle).Check();
        _current = Handle;
    }

    /// <summary>Bytes of the card that are free now.</summary>
    public long FreeBytes
    {
        get
        {
            MakeCurrent();
            nuint free, total;
            Driver.cuMemGetInfo_v2(&free, &total).Check();
            return (long)free;
        }
    }

    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        _current = _current == Handle ? 0 : _current;
        Driver.cuDevicePrimaryCtxRelease_v2(_device).Check();
    }
}
