using Hearth.Cuda.Native;

namespace Hearth.Cuda;

/// <summary>Memory of the machine that does not move, for copies beside other work. It belongs to no card.</summary>
sealed unsafe class PinnedMemory : IDisposable
{
    const uint Portable = 1;

    readonly CudaContext _context;
    byte* _address;

    public PinnedMemory(CudaContext context, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        context.MakeCurrent();
        void* address;
        Driver.cuMemHostAlloc(&address, (nuint)bytes, Portable).Check();
        (_context, Length) = (context, bytes);
        _address = (byte*)address;
    }

    public long Length { get; }

    internal byte* Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address == null, this);
            return _address;
        }
    }

    public Span<T> Span<T>(long offset, int count) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + (long)count * sizeof(T), Length);
        return new Span<T>(Address + offset, count);
    }

    public void Dispose()
    {
        if (_address == null)
            return;
        _context.MakeCurrent();
        Driver.cuMemFreeHost(_address).Check();
        _address = null;
    }
}
