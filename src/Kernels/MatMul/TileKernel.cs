using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>
/// The register tile of a matrix product: 4 rows of activations by <see cref="Columns"/> rows of weights, one vector of
/// partial sums each. Both come packed: [step][row][lane], zeros in the rest of the last step.
/// </summary>
static unsafe class TileKernel<S, V> where S : struct, ISimd<V> where V : struct
{
    public const int Rows = 4;

    /// <summary>24 sums fill the 32 registers of AVX-512, 12 the 16 of AVX2.</summary>
    public static int Columns
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => S.Lanes == 16 ? 6 : 3;
    }

    /// <param name="sums">[Columns][Rows], overwritten by the first block of k and added to by the others.</param>
    /// <param name="ahead">Memory that is wanted soon: one line is fetched per step.</param>
    public static void Multiply(float* a, float* w, int steps, float* sums, bool first, byte* ahead)
    {
        if (S.Lanes == 16)
        {
            Multiply4x6(a, w, steps, sums, first, ahead);
        }
        else
        {
            Multiply4x3(a, w, steps, sums, first);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Multiply4x6(float* a, float* w, int steps, float* sums, bool first, byte* ahead)
    {
        V c00 = S.Set(0), c01 = c00, c02 = c00, c03 = c00, c10 = c00, c11 = c00, c12 = c00, c13 = c00;
        V c20 = c00, c21 = c00, c22 = c00, c23 = c00, c30 = c00, c31 = c00, c32 = c00, c33 = c00;
        V c40 = c00, c41 = c00, c42 = c00, c43 = c00, c50 = c00, c51 = c00, c52 = c00, c53 = c00;
        for (; steps > 0; steps--)
        {
            V a0 = S.Load(a), a1 = S.Load(a + S.Lanes), a2 = S.Load(a + 2 * S.Lanes), a3 = S.Load(a + 3 * S.Lanes);
            var b = S.Load(w);
            c00 = S.Fma(a0, b, c00);
            c01 = S.Fma(a1, b, c01);
            c02 = S.Fma(a2, b, c02);
            c03 = S.Fma(a3, b, c03);
            b = S.Load(w + S.Lanes);
            c10 = S.Fma(a0, b, c10);
            c11 = S.Fma(a1, b, c11);
            c12 = S.Fma(a2, b, c12);
            c13 = S.Fma(a3, b, c13);
            b = S.Load(w + 2 * S.Lanes);
            c20 = S.Fma(a0, b, c20);
            c21 = S.Fma(a1, b, c21);
            c22 = S.Fma(a2, b, c22);
            c23 = S.Fma(a3, b, c23);
            b = S.Load(w + 3 * S.Lanes);
            c30 = S.Fma(a0, b, c30);
            c31 = S.Fma(a1, b, c31);
            c32 = S.Fma(a2, b, c32);
            c33 = S.Fma(a3, b, c33);
            b = S.Load(w + 4 * S.Lanes);
            c40 = S.Fma(a0, b, c40);
            c41 = S.Fma(a1, b, c41);
            c42 = S.Fma(a2, b, c42);
            c43 = S.Fma(a3, b, c43);
            b = S.Load(w + 5 * S.Lanes);
            c50 = S.Fma(a0, b, c50);
            c51 = S.Fma(a1, b, c51);
            c52 = S.Fma(a2, b, c52);
            c53 = S.Fma(a3, b, c53);
            Memory.Prefetch(ahead);
            Memory.Prefetch(ahead + 64);
            a += 4 * S.Lanes;
            w += 6 * S.Lanes;
            ahead += 128;
        }
        Add(sums, S.Sum4(c00, c01, c02, c03), first);
        Add(sums + 4, S.Sum4(c10, c11, c12, c13), first);
        Add(sums + 8, S.Sum4(c20, c21, c22, c23), first);
        Add(sums + 12, S.Sum4(c30, c31, c32, c33), first);
        Add(sums + 16, S.Sum4(c40, c41, c42, c43), first);
        Add(sums + 20, S.Sum4(c50, c51, c52, c53), first);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Multiply4x3(float* a, float* w, int steps, float* sums, bool first)
    {
        V c00 = S.Set(0), c01 = c00, c02 = c00, c03 = c00, c10 = c00, c11 = c00, c12 = c00, c13 = c00;
        V c20 = c00, c21 = c00, c22 = c00, c23 = c00;
        for (; steps > 0; steps--)
        {
            V b0 = S.Load(w), b1 = S.Load(w + S.Lanes), b2 = S.Load(w + 2 * S.Lanes);
            var row = S.Load(a);
            c00 = S.Fma(row, b0, c00);
            c10 = S.Fma(row, b1, c10);
            c20 = S.Fma(row, b2, c20);
            row = S.Load(a + S.Lanes);
            c01 = S.Fma(row, b0, c01);
            c11 = S.Fma(row, b1, c11);
            c21 = S.Fma(row, b2, c21);
            row = S.Load(a + 2 * S.Lanes);
            c02 = S.Fma(row, b0, c02);
            c12 = S.Fma(row, b1, c12);
            c22 = S.Fma(row, b2, c22);
            row = S.Load(a + 3 * S.Lanes);
            c03 = S.Fma(row, b0, c03);
            c13 = S.Fma(row, b1, c13);
            c23 = S.Fma(row, b2, c23);
            a += 4 * S.Lanes;
            w += 3 * S.Lanes;
        }
        Add(sums, S.Sum4(c00, c01, c02, c03), first);
        Add(sums + 4, S.Sum4(c10, c11, c12, c13), first);
        Add(sums + 8, S.Sum4(c20, c21, c22, c23), first);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Add(float* sums, Vector128<float> block, bool first) =>
        (first ? block : Vector128.Load(sums) + block).Store(sums);
}
