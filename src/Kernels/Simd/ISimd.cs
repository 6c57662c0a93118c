using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>
/// One vector width, as static members on a marker type: an operation is written once over it and the JIT makes the
/// 512-bit, 256-bit and scalar form. <typeparamref name="V"/> holds <see cref="Lanes"/> floats.
/// </summary>
unsafe interface ISimd<V> where V : struct
{
    static abstract int Lanes { get; }

    static abstract V Set(float value);

    static abstract V Load(float* source);

    static abstract void Store(V value, float* target);

    /// <summary>The first <paramref name="count"/> &lt; Lanes floats, zeros behind.</summary>
    static abstract V LoadPart(float* source, int count);

    static abstract void StorePart(V value, float* target, int count);

    static abstract V LoadBF16(ushort* source);

    static abstract V LoadF16(ushort* source);

    /// <summary>Lanes signed bytes as numbers.</summary>
    static abstract V LoadI8(sbyte* source);

    /// <summary>Lanes bytes, of each the bits of <paramref name="mask"/> after a shift to the right, as a number.</summary>
    static abstract V LoadField(byte* source, int shift, int mask);

    /// <summary>Of Lanes bytes the low (shift 0) or high (shift 4) half: half * scale + offset, rounded once.</summary>
    static abstract V LoadHalves(byte* source, int shift, V scale, V offset);

    /// <summary>Lanes f8 numbers: each byte, its sign extended, is shifted to f32's places, masked, and its exponent
    /// re-biased by a product.</summary>
    static abstract V LoadF8(sbyte* source, int shift, int places, float rebias);

    /// <summary>1 in each lane whose bit is set, else 0.</summary>
    static abstract V LaneBits(uint bits);

    /// <summary>2 x Lanes elements: the even ones and the odd ones.</summary>
    static abstract void LoadPairBF16(ushort* source, out V even, out V odd);

    static abstract void LoadPairF16(ushort* source, out V even, out V odd);

    /// <summary>From even and odd elements to the first and the second half.</summary>
    static abstract void Interleave(ref V a, ref V b);

    /// <summary>The reverse of <see cref="Interleave"/>.</summary>
    static abstract void Separate(ref V a, ref V b);

    /// <summary>Rounds to the nearest, ties to even; NaN stays NaN.</summary>
    static abstract void StoreBF16(V value, ushort* target);

    static abstract void StoreF16(V value, ushort* target);

    static abstract V Add(V a, V b);

    static abstract V Sub(V a, V b);

    static abstract V Mul(V a, V b);

    static abstract V Div(V a, V b);

    /// <summary>a * b + c, rounded once.</summary>
    static abstract V Fma(V a, V b, V c);

    static abstract V Min(V a, V b);

    static abstract V Max(V a, V b);

    static abstract V Round(V a);

    static abstract V Abs(V a);

    /// <summary><paramref name="a"/> &lt; <paramref name="b"/> ? <paramref name="yes"/> : <paramref name="no"/>, per
    /// lane.</summary>
    static abstract V IfLess(V a, V b, V yes, V no);

    /// <summary>2^n for whole n in [-126, 127].</summary>
    static abstract V Exp2(V n);

    /// <summary>The lanes added as a tree of halves: lane i and i + L/2, then i + L/4, and so on.</summary>
    static abstract float Sum(V value);

    /// <summary>Four times <see cref="Sum"/>, bit for bit.</summary>
    static abstract Vector128<float> Sum4(V a, V b, V c, V d);

    static abstract float MaxLane(V value);
}
