using System.Runtime.InteropServices;
using Xunit;

namespace Hearth.Cuda.Tests;

/// <summary>Runs one kernel over host arrays: several times, in other orders of its threads, and all must agree bit for
/// bit.</summary>
static unsafe class KernelRun
{
    static readonly ulong[] _seeds = [0, 1, 2];

    /// <param name="arguments">Arrays become device memory, null a null pointer; numbers are passed as they are. What the
    /// kernel writes is an <see cref="Output{T}"/>.</param>
    public static void Launch(string kernel, (int X, int Y, int Z) grid, int threads, int sharedBytes, params object?[] arguments)
    {
        Toolchain.Require();
        foreach (var seed in _seeds)
            Once(kernel, grid, threads, sharedBytes, arguments, seed);
    }

    static void Once(string kernel, (int X, int Y, int Z) grid, int threads, int sharedBytes, object?[] arguments, ulong seed)
    {
        var values = stackalloc ulong[arguments.Length];
        var addresses = stackalloc void*[arguments.Length];
        var owned = new List<nint>();
        try
        {
            for (var i = 0; i < arguments.Length; i++)
            {
                values[i] = Value(arguments[i], owned);
                addresses[i] = values + i;
            }
            EmulatedGpu.Launch(kernel, grid, threads, sharedBytes, addresses, seed);
            for (var i = 0; i < arguments.Length; i++)
            {
                if (arguments[i] is IOutput output)
                    output.Take((void*)values[i], $"{kernel}, argument {i}, seed {seed}");
            }
        }
        finally
        {
            var intact = true;
            foreach (var p in owned)
                intact &= EmulatedGpu.Free(p);
            Assert.True(intact, $"{kernel} wrote around an allocation");
        }
    }

    static ulong Value(object? argument, List<nint> owned) => argument switch
    {
        null => 0,
        int number => (uint)number,
        long number => (ulong)number,
        float number => BitConverter.SingleToUInt32Bits(number),
        IOutput output => Own(output.Bytes, output.Initial, owned),
        Array array => Own(array.Length * Marshal.SizeOf(array.GetType().GetElementType()!), array, owned),
        _ => throw new ArgumentException($"{argument.GetType()} is no argument of a kernel"),
    };

    static ulong Own(int bytes, Array? content, List<nint> owned)
    {
        var p = EmulatedGpu.Allocate((nuint)bytes);
        owned.Add(p);
        if (content != null)
        {
            var handle = GCHandle.Alloc(content, GCHandleType.Pinned);
            Buffer.MemoryCopy((void*)handle.AddrOfPinnedObject(), (void*)p, bytes, bytes);
            handle.Free();
        }
        return (ulong)p;
    }
}

unsafe interface IOutput
{
    int Bytes { get; }

    Array? Initial { get; }

    void Take(void* memory, string what);
}

/// <summary>Memory that a kernel writes; holds NaN at first unless there is initial content.</summary>
sealed unsafe class Output<T>(int length, T[]? initial = null) : IOutput where T : unmanaged
{
    public Output(T[] initial) : this(initial.Length, initial) { }

    public T[]? Values { get; private set; }

    public int Bytes => length * sizeof(T);

    public Array? Initial => initial;

    public void Take(void* memory, string what)
    {
        var now = new ReadOnlySpan<T>(memory, length).ToArray();
        if (Values != null)
        {
            ReadOnlySpan<byte> a = MemoryMarshal.AsBytes<T>(Values), b = MemoryMarshal.AsBytes<T>(now);
            Assert.True(a.SequenceEqual(b), $"{what} differs from seed 0 at element {a.CommonPrefixLength(b) / sizeof(T)}");
        }
        Values ??= now;
    }
}
