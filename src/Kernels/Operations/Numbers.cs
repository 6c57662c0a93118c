using System.Runtime.CompilerServices;

namespace Hearth.Kernels;

/// <summary>Conversions between stored formats and f32.</summary>
public static unsafe class Numbers
{
    /// <summary>Widens target.Length elements, of formats in blocks a row; exact, of 16 and 32 bits subnormals,
    /// infinities and NaN included.</summary>
    /// <exception cref="ArgumentException">source is not as long as target.Length elements.</exception>
    public static void Widen(KernelContext context, DType type, ReadOnlySpan<byte> source, Span<float> target)
    {
        Check.Length(source.Length, type.RowBytes(target.Length), nameof(source));
        fixed (byte* s = source)
        fixed (float* t = target)
        {
            context.Kernels.Widen(type, s, t, target.Length);
        }
    }

    /// <summary>Rounds source.Length numbers to the nearest, ties to even; beyond the largest f16 comes infinity.</summary>
    public static void Narrow(KernelContext context, DType type, ReadOnlySpan<float> source, Span<byte> target)
    {
        Check.Length(target.Length, (long)source.Length * type.Size(), nameof(target));
        fixed (float* s = source)
        fixed (byte* t = target)
        {
            context.Kernels.Narrow(type, s, t, source.Length);
        }
    }

    /// <summary>A new f32 copy of a small tensor (a norm's weights, a bias).</summary>
    public static float[] ToSingles(KernelContext context, DType type, TensorMemory memory)
    {
        var values = new float[checked((int)(memory.Length / type.Size()))];
        Widen(context, type, memory.Bytes, values);
        return values;
    }
}

static unsafe class ConvertKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen<E>(byte* source, float* target, nint n) where E : struct, IWeight
    {
        var scales = stackalloc float[StretchScales.Count];
        for (; n > 0; n -= E.Stretch, source += E.StretchBytes, target += E.Stretch)
        {
            var columns = (int)Math.Min(E.Stretch, n);
            E.Prepare(source, columns, scales);
            nint i = 0;
            for (; i <= columns - S.Lanes; i += S.Lanes)
            {
                S.Store(E.Load<S, V>(source, scales, i), target + i);
            }
            for (; i < columns; i++)
            {
                target[i] = E.Load<SimdScalar, float>(source, scales, i);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Narrow<E>(float* source, byte* target, nint n) where E : struct, IElement
    {
        nint i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            E.Store<S, V>(S.Load(source + i), target, i);
        }
        for (; i < n; i++)
        {
            E.Store<SimdScalar, float>(source[i], target, i);
        }
    }
}
