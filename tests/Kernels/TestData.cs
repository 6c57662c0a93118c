using System.Runtime.InteropServices;
using Xunit;

namespace Hearth.Kernels.Tests;

/// <summary>Seeded inputs and the kernel sets to run them through.</summary>
static class TestData
{
    public static readonly KernelSet[] Sets = [KernelSet.Scalar, KernelSet.Vector256, KernelSet.Vector512];

    public static TheoryData<string> SetNames => [.. Sets.Select(set => set.Name)];

    public static KernelContext Context(string set, int threads = 2) => new(threads, KernelSet.Choose(set));

    public static float[] Normal(int seed, int count, float scale = 1)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (var i = 0; i < count; i++)
        {
            var radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = (float)(scale * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }
        return values;
    }

    /// <summary>The values rounded to a stored type, in native memory at an odd address.</summary>
    public static NativeBuffer Store(DType type, float[] values, out TensorMemory memory)
    {
        var bytes = new byte[values.Length * type.Size()];
        using (var context = new KernelContext(1, KernelSet.Scalar))
        {
            Numbers.Narrow(context, type, values, bytes);
        }
        var buffer = new NativeBuffer(bytes.Length + 1);
        bytes.CopyTo(buffer.AsSpan<byte>(1, bytes.Length));
        memory = buffer.Memory.Slice(1, bytes.Length);
        return buffer;
    }

    public static float[] Load(DType type, TensorMemory memory)
    {
        using var context = new KernelContext(1, KernelSet.Scalar);
        return Numbers.ToSingles(context, type, memory);
    }

    public static uint[] Bits(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, uint>(values).ToArray();
}
