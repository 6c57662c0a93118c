using System.Runtime.InteropServices;
using System.Text;

namespace Hearth.Cuda.Tests;

/// <summary>The kernels on the processor: memory that ends where its allocation ends, and launches that say what went
/// wrong.</summary>
static unsafe class EmulatedGpu
{
    static readonly Lazy<Exports> _exports = new(() => new Exports(NativeLibrary.Load(Toolchain.Library())));

    /// <summary>Memory filled with NaN; touching anything beyond its end stops the kernel.</summary>
    public static nint Allocate(nuint bytes)
    {
        var p = _exports.Value.Allocate(bytes);
        return p != 0 ? p : throw new InsufficientMemoryException();
    }

    /// <returns>Whether nothing was written around it.</returns>
    public static bool Free(nint p) => _exports.Value.Free(p) != 0;

    public static bool Has(string kernel)
    {
        fixed (byte* name = Text(kernel))
        {
            return _exports.Value.Has(name) != 0;
        }
    }

    /// <param name="arguments">Addresses of the parameters' values, as cuLaunchKernel takes them.</param>
    /// <param name="seed">0: threads in order, copies at once; others: another order of threads, copies as late as may
    /// be.</param>
    /// <exception cref="EmulatedFaultException">What the kernel did wrong, and where.</exception>
    public static void Launch(string kernel, (int X, int Y, int Z) grid, int threads, int sharedBytes, void** arguments,
        ulong seed)
    {
        const int ErrorBytes = 1024;
        var error = stackalloc byte[ErrorBytes];
        var blocks = stackalloc uint[] { (uint)grid.X, (uint)grid.Y, (uint)grid.Z };
        var size = stackalloc uint[] { (uint)threads, 1, 1 };
        fixed (byte* name = Text(kernel))
        {
            if (_exports.Value.Launch(name, blocks, size, (uint)sharedBytes, arguments, seed, error, ErrorBytes) != 0)
                throw new EmulatedFaultException(Marshal.PtrToStringUTF8((nint)error)!);
        }
    }

    static byte[] Text(string text) => Encoding.UTF8.GetBytes(text + '\0');

    sealed class Exports(nint library)
    {
        public readonly delegate* unmanaged<nuint, nint> Allocate =
            (delegate* unmanaged<nuint, nint>)NativeLibrary.GetExport(library, "hearth_allocate");
        public readonly delegate* unmanaged<nint, int> Free =
            (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "hearth_free");
        public readonly delegate* unmanaged<byte*, int> Has =
            (delegate* unmanaged<byte*, int>)NativeLibrary.GetExport(library, "hearth_has");
        public readonly delegate* unmanaged<byte*, uint*, uint*, uint, void**, ulong, byte*, int, int> Launch =
            (delegate* unmanaged<byte*, uint*, uint*, uint, void**, ulong, byte*, int, int>)
            NativeLibrary.GetExport(library, "hearth_launch");
    }
}

/// <summary>A kernel touched what is not its own, or its threads do not agree.</summary>
sealed class EmulatedFaultException(string message) : Exception(message);
