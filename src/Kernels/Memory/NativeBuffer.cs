using System.Runtime.InteropServices;

namespace Hearth.Kernels;

/// <summary>Zeroed memory outside the collector's heap, 64-byte aligned. Large buffers are zeroed lazily, page by page.</summary>
public sealed unsafe partial class NativeBuffer : IDisposable
{
    const int ProtectReadWrite = 3, MapPrivateAnonymous = 0x22, AdviseHugePage = 14;

    readonly bool _mapped;
    byte* _address;

    /// <param name="bytes">Size in bytes, zero allowed.</param>
    /// <exception cref="InsufficientMemoryException">The system has not that much.</exception>
    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Length = bytes;
        _mapped = OperatingSystem.IsLinux() && bytes >= Limits.MappedBytesMin;
        if (_mapped)
        {
            _address = Map(null, (nuint)bytes, ProtectReadWrite, MapPrivateAnonymous, -1, 0);
            if ((nint)_address == -1)
            {
                _address = null;
                throw new InsufficientMemoryException($"the system refused {bytes} bytes of memory");
            }
            _ = Advise(_address, (nuint)bytes, AdviseHugePage);
        }
        else
        {
            _address = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), Limits.Alignment);
            NativeMemory.Clear(_address, (nuint)bytes);
        }
        if (bytes > 0)
        {
            GC.AddMemoryPressure(bytes);
        }
    }

    ~NativeBuffer() => Release();

    /// <summary>Size in bytes.</summary>
    public long Length { get; }

    /// <summary>The whole buffer as a handle that kernels take.</summary>
    public TensorMemory Memory => new(this, Address, Length);

    internal byte* Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address == null, this);
            return _address;
        }
    }

    /// <summary><paramref name="count"/> elements from <paramref name="byteOffset"/> on.</summary>
    public Span<T> AsSpan<T>(long byteOffset, int count) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteOffset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(byteOffset + (long)count * sizeof(T), Length);
        return new Span<T>(Address + byteOffset, count);
    }

    /// <summary>The whole buffer; it must count at most <see cref="int.MaxValue"/> elements.</summary>
    public Span<T> AsSpan<T>() where T : unmanaged => AsSpan<T>(0, checked((int)(Length / sizeof(T))));

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    void Release()
    {
        var address = _address;
        _address = null;
        if (address == null)
        {
            return;
        }
        if (_mapped)
        {
            _ = Unmap(address, (nuint)Length);
        }
        else
        {
            NativeMemory.AlignedFree(address);
        }
        if (Length > 0)
        {
            GC.RemoveMemoryPressure(Length);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial byte* Map(byte* at, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(byte* at, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(byte* at, nuint length, int advice);
}
