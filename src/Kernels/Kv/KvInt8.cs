using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>
/// Exported keys and values rounded to 8 bits: every token's key and value of every head has one f32 scale, its largest
/// magnitude / 127, and its dimensions as signed bytes. Half the bytes of f16, and not exact.
/// </summary>
public static unsafe class KvInt8
{
    const int Tokens = KvLayout.BlockTokens;

    /// <summary>Bytes of so many tokens of all layers.</summary>
    public static long Bytes(KvLayout layout, int tokens) =>
        (long)layout.Layers * layout.KvHeads * tokens * (layout.HeadDim + layout.ValueDim + 2 * sizeof(float));

    /// <summary>Reads what <see cref="KvPool.Export"/> wrote of a block and writes, for [layer][kvHead], the keys' scales
    /// [tokens] and bytes [headDim][tokens], then the values' scales [tokens] and bytes [tokens][valueDim].</summary>
    /// <exception cref="ArgumentException">A span is not as long as the layout says.</exception>
    public static void Quantize(KvLayout layout, int tokens, ReadOnlySpan<byte> exact, Span<byte> target)
    {
        CheckBlock(layout, tokens, exact.Length, target.Length);
        var scratch = new float[Math.Max(layout.HeadDim, layout.ValueDim) * Tokens];
        var (keys, values) = (layout.HeadDim * tokens, layout.ValueDim * tokens);
        fixed (byte* source = exact, bytes = target)
        fixed (float* x = scratch)
        {
            byte* from = source, to = bytes;
            for (var head = 0; head < layout.Layers * layout.KvHeads; head++)
            {
                WidenRows(layout.Type, from, x, layout.HeadDim, tokens);
                QuantizeKeys(x, layout.HeadDim, tokens, (float*)to, (sbyte*)(to + tokens * sizeof(float)));
                from += keys * layout.Type.Size();
                to += keys + tokens * sizeof(float);
                KernelSet.Default.Widen(layout.Type, from, x, values);
                QuantizeValues(x, layout.ValueDim, tokens, (float*)to, (sbyte*)(to + tokens * sizeof(float)));
                from += values * layout.Type.Size();
                to += values + tokens * sizeof(float);
            }
        }
    }

    /// <summary>The reverse of <see cref="Quantize"/>, but for what was rounded away.</summary>
    /// <exception cref="ArgumentException">A span is not as long as the layout says.</exception>
    public static void Dequantize(KvLayout layout, int tokens, ReadOnlySpan<byte> source, Span<byte> exact)
    {
        CheckBlock(layout, tokens, exact.Length, source.Length);
        var scratch = new float[Math.Max(layout.HeadDim, layout.ValueDim) * Tokens];
        var (keys, values) = (layout.HeadDim * tokens, layout.ValueDim * tokens);
        fixed (byte* bytes = source, target = exact)
        fixed (float* x = scratch)
        {
            byte* from = bytes, to = target;
            for (var head = 0; head < layout.Layers * layout.KvHeads; head++)
            {
                var quantized = (sbyte*)(from + tokens * sizeof(float));
                for (var row = 0; row < layout.HeadDim; row++)
                {
                    Multiply(quantized + row * tokens, (float*)from, 1, x + row * tokens, tokens);
                }
                KernelSet.Default.Narrow(layout.Type, x, to, keys);
                from += keys + tokens * sizeof(float);
                to += keys * layout.Type.Size();
                quantized = (sbyte*)(from + tokens * sizeof(float));
                for (var row = 0; row < tokens; row++)
                {
                    var at = row * layout.ValueDim;
                    Multiply(quantized + at, (float*)from + row, 0, x + at, layout.ValueDim);
                }
                KernelSet.Default.Narrow(layout.Type, x, to, values);
                from += values + tokens * sizeof(float);
                to += values * layout.Type.Size();
            }
        }
    }

    /// <summary>Rows of so many columns to rows of <see cref="Tokens"/>, zeros behind.</summary>
    static void WidenRows(DType type, byte* source, float* target, int rows, int columns)
    {
        if (columns == Tokens)
        {
            KernelSet.Default.Widen(type, source, target, rows * Tokens);
            return;
        }
        new Span<float>(target, rows * Tokens).Clear();
        for (var row = 0; row < rows; row++)
        {
            KernelSet.Default.Widen(type, source + row * columns * type.Size(), target + row * Tokens, columns);
        }
    }

    static void QuantizeKeys(float* x, int rows, int tokens, float* scales, sbyte* quantized)
    {
        var largest = stackalloc float[Tokens];
        var inverse = stackalloc float[Tokens];
        var narrow = stackalloc sbyte[Tokens];
        for (var t = 0; t < Tokens; t += Vector256<float>.Count)
        {
            var most = Vector256<float>.Zero;
            for (var row = 0; row < rows; row++)
            {
                most = Vector256.Max(most, Vector256.Abs(Vector256.Load(x + row * Tokens + t)));
            }
            most.Store(largest + t);
        }
        for (var t = 0; t < tokens; t++)
        {
            (scales[t], inverse[t]) = Scale(largest[t]);
        }
        for (var row = 0; row < rows; row++)
        {
            Round32(x + row * Tokens, inverse, Vector256<float>.Count, narrow);
            new ReadOnlySpan<sbyte>(narrow, tokens).CopyTo(new Span<sbyte>(quantized + row * tokens, tokens));
        }
    }

    static void QuantizeValues(float* x, int headDim, int tokens, float* scales, sbyte* quantized)
    {
        var inverses = stackalloc float[Vector256<float>.Count];
        for (var t = 0; t < tokens; t++, x += headDim, quantized += headDim)
        {
            (scales[t], var inverse) = Scale(Largest(x, headDim));
            Vector256.Create(inverse).Store(inverses);
            var i = 0;
            for (; i <= headDim - Tokens; i += Tokens)
            {
                Round32(x + i, inverses, 0, quantized + i);
            }
            for (; i < headDim; i++)
            {
                quantized[i] = (sbyte)MathF.Round(x[i] * inverse);
            }
        }
    }

    static float Largest(float* x, int n)
    {
        var most = Vector256<float>.Zero;
        var i = 0;
        for (; i <= n - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            most = Vector256.Max(most, Vector256.Abs(Vector256.Load(x + i)));
        }
        var largest = 0f;
        for (var lane = 0; lane < Vector256<float>.Count; lane++)
        {
            largest = MathF.Max(largest, most[lane]);
        }
        for (; i < n; i++)
        {
            largest = MathF.Max(largest, MathF.Abs(x[i]));
        }
        return largest;
    }

    static (float Scale, float Inverse) Scale(float largest) => largest > 0 ? (largest / 127, 127 / largest) : (0, 0);

    /// <summary>32 numbers times their factors, to the nearest, ties to even.</summary>
    static void Round32(float* x, float* factors, int step, sbyte* target)
    {
        const int Lanes = 8;
        var a = Rounded(x, factors);
        var b = Rounded(x + Lanes, factors + step);
        var c = Rounded(x + 2 * Lanes, factors + 2 * step);
        var d = Rounded(x + 3 * Lanes, factors + 3 * step);
        Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, d)).Store(target);
    }

    static Vector256<int> Rounded(float* x, float* factors) =>
        Vector256.ConvertToInt32(Vector256.Round(Vector256.Load(x) * Vector256.Load(factors)));

    /// <param name="step">1: a scale for every number; 0: one for all.</param>
    static void Multiply(sbyte* source, float* scales, int step, float* target, int n)
    {
        var i = 0;
        for (; i <= n - Vector128<sbyte>.Count; i += Vector128<sbyte>.Count)
        {
            var (low, high) = Vector128.Widen(Vector128.Load(source + i));
            for (var half = 0; half < 2; half++)
            {
                var (first, second) = Vector128.Widen(half == 0 ? low : high);
                var at = i + half * Vector128<short>.Count;
                Times(first, scales, step, at, target);
                Times(second, scales, step, at + Vector128<int>.Count, target);
            }
        }
        for (; i < n; i++)
        {
            target[i] = source[i] * scales[i * step];
        }
    }

    static void Times(Vector128<int> x, float* scales, int step, int at, float* target)
    {
        var scale = step == 0 ? Vector128.Create(*scales) : Vector128.Load(scales + at);
        (Vector128.ConvertToSingle(x) * scale).Store(target + at);
    }

    static void CheckBlock(KvLayout layout, int tokens, int exact, int quantized)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, Tokens);
        Check.Length(exact, layout.ExportBytes(tokens), nameof(exact));
        Check.Length(quantized, Bytes(layout, tokens), nameof(quantized));
    }
}
