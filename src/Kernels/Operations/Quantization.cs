using System.Runtime.CompilerServices;
using S = Hearth.Kernels.Simd256;
using V = System.Runtime.Intrinsics.Vector256<float>;

namespace Hearth.Kernels;

/// <summary>Rounds weights to formats in blocks: once, at load.</summary>
public static unsafe class Quantization
{
    const int RowsPerChunk = 16;

    /// <summary>Each number to the nearest multiple of its block's scale. Q8's scale lets the largest number be 127; Q4's is the
    /// one of 16 around the largest number that gives the smallest squared error.</summary>
    /// <param name="type">Q8 or Q4.</param>
    /// <param name="target">rows x type.RowBytes(columns) bytes.</param>
    /// <returns>target as a matrix.</returns>
    public static MatrixView Compute(KernelContext context, MatrixView source, DType type, NativeBuffer target)
    {
        if (type is not (DType.Q8 or DType.Q4))
        {
            throw new ArgumentOutOfRangeException(nameof(type), type, "weights are rounded to Q8 or Q4");
        }
        var result = new MatrixView(target.Memory, type, source.Rows, source.Columns);
        var blocks = (source.Columns + 31) / 32;
        var scratch = (float*)context.Scratch.Reserve((long)context.Threads * blocks * 32 * sizeof(float));
        context.Pool.Run(new Job(context.Kernels, source, type, target.Address, scratch, blocks),
            (source.Rows + RowsPerChunk - 1) / RowsPerChunk);
        GC.KeepAlive(source.Memory.Owner);
        return result;
    }

    readonly struct Job(KernelSet kernels, MatrixView source, DType type, byte* target, float* scratch, int blocks) : IChunkJob
    {
        public void Execute(int chunk, int worker)
        {
            var row = scratch + (nint)worker * blocks * 32;
            new Span<float>(row, blocks * 32).Clear();
            for (var i = chunk * RowsPerChunk; i < Math.Min(source.Rows, (chunk + 1) * RowsPerChunk); i++)
            {
                kernels.Widen(source.Type, source.Address + i * source.RowBytes, row, source.Columns);
                var rounded = target + (nint)i * blocks * type.BlockBytes();
                if (type == DType.Q8)
                {
                    QuantizeKernel.ToQ8(row, rounded, blocks);
                }
                else
                {
                    QuantizeKernel.ToQ4(row, rounded, blocks);
                }
            }
        }
    }
}

/// <summary>Of one width whatever the machine has, so that the same checkpoint gives the same weights everywhere.</summary>
static unsafe class QuantizeKernel
{
    const int Columns = 32;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToQ8(float* x, byte* target, int blocks)
    {
        var numbers = stackalloc float[Columns];
        for (; blocks > 0; blocks--, x += Columns, target += 34)
        {
            var largest = S.Set(0);
            for (var i = 0; i < Columns; i += S.Lanes)
            {
                largest = S.Max(largest, S.Abs(S.Load(x + i)));
            }
            var scale = AtLeast(S.MaxLane(largest) / 127);
            Unsafe.WriteUnaligned(target, scale);
            Round(x, (float)scale, -127, 127, numbers);
            for (var i = 0; i < Columns; i++)
            {
                target[2 + i] = (byte)(sbyte)numbers[i];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToQ4(float* x, byte* target, int blocks)
    {
        var numbers = stackalloc float[Columns];
        for (; blocks > 0; blocks--, x += Columns, target += 18)
        {
            var scale = BestScale(x, numbers);
            Unsafe.WriteUnaligned(target, scale);
            Round(x, (float)scale, -8, 7, numbers);
            for (var i = 0; i < 16; i++)
            {
                target[2 + i] = (byte)(((int)numbers[i] + 8) | (((int)numbers[16 + i] + 8) << 4));
            }
        }
    }

    /// <summary>Scales that bring the largest number near -8, each moved to the least squares of what it rounds to.</summary>
    static Half BestScale(float* x, float* numbers)
    {
        var largest = 0f;
        for (var i = 0; i < Columns; i++)
        {
            largest = MathF.Abs(x[i]) > MathF.Abs(largest) ? x[i] : largest;
        }
        var (best, errorMin) = (default(Half), float.PositiveInfinity);
        for (var i = -8; i < 8 && largest != 0; i++)
        {
            Round(x, largest / -(8 + 0.1f * i), -8, 7, numbers);
            Sums(x, numbers, 0, out var products, out var squares, out _);
            var scale = (Half)(products / squares);
            Round(x, (float)scale, -8, 7, numbers);
            Sums(x, numbers, (float)scale, out _, out _, out var error);
            (best, errorMin) = error < errorMin ? (scale, error) : (best, errorMin);
        }
        return best;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Sums(float* x, float* numbers, float scale, out float products, out float squares, out float error)
    {
        V xn = S.Set(0), nn = xn, ee = xn;
        for (var i = 0; i < Columns; i += S.Lanes)
        {
            V a = S.Load(x + i), n = S.Load(numbers + i);
            xn = S.Fma(a, n, xn);
            nn = S.Fma(n, n, nn);
            var e = S.Sub(a, S.Mul(n, S.Set(scale)));
            ee = S.Fma(e, e, ee);
        }
        (products, squares, error) = (S.Sum(xn), S.Sum(nn), S.Sum(ee));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Round(float* x, float scale, float min, float max, float* numbers)
    {
        var inverse = S.Set(scale == 0 ? 0 : 1 / scale);
        for (var i = 0; i < Columns; i += S.Lanes)
        {
            var number = S.Round(S.Mul(S.Load(x + i), inverse));
            S.Store(S.Min(S.Max(number, S.Set(min)), S.Set(max)), numbers + i);
        }
    }

    /// <summary>The nearest f16 with which nothing needs to be cut off.</summary>
    static Half AtLeast(float scale)
    {
        var half = (Half)MathF.Min(scale, 65504);
        return (float)half < scale * 0.996f ? Half.BitIncrement(half) : half;
    }
}
