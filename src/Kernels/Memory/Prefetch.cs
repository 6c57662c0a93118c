using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Hearth.Kernels;

static unsafe class Memory
{
    /// <summary>Asks for the line at an address, which need not be mapped.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
        }
    }
}
