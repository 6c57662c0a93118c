using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels;

/// <summary>One lane: the form for machines without vectors, and the plainest reading of every operation.</summary>
readonly unsafe struct SimdScalar : ISimd<float>
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Lanes => 1;

    [MethodImpl(Inline)]
    public static float Set(float value) => value;

    [MethodImpl(Inline)]
    public static float Load(float* source) => *source;

    [MethodImpl(Inline)]
    public static void Store(float value, float* target) => *target = value;

    public static float LoadPart(float* source, int count) => count > 0 ? *source : 0;

    public static void StorePart(float value, float* target, int count)
    {
        if (count > 0)
        {
            *target = value;
        }
    }

    [MethodImpl(Inline)]
    public static float LoadBF16(ushort* source) => BitConverter.UInt32BitsToSingle((uint)*source << 16);

    [MethodImpl(Inline)]
    public static float LoadF16(ushort* source) => (float)BitConverter.UInt16BitsToHalf(*source);

    [MethodImpl(Inline)]
    public static float LoadI8(sbyte* source) => *source;

    [MethodImpl(Inline)]
    public static float LoadField(byte* source, int shift, int mask) => (*source >> shift) & mask;

    [MethodImpl(Inline)]
    public static float LoadHalves(byte* source, int shift, float scale, float offset) =>
        MathF.FusedMultiplyAdd((*source >> shift) & 15, scale, offset);

    [MethodImpl(Inline)]
    public static float LoadF8(sbyte* source, int shift, int places, float rebias) =>
        BitConverter.Int32BitsToSingle((*source << shift) & places) * rebias;

    [MethodImpl(Inline)]
    public static float LaneBits(uint bits) => bits & 1;

    [MethodImpl(Inline)]
    public static void LoadPairBF16(ushort* source, out float even, out float odd) =>
        (even, odd) = (LoadBF16(source), LoadBF16(source + 1));

    [MethodImpl(Inline)]
    public static void LoadPairF16(ushort* source, out float even, out float odd) =>
        (even, odd) = (LoadF16(source), LoadF16(source + 1));

    public static void Interleave(ref float a, ref float b)
    {
    }

    public static void Separate(ref float a, ref float b)
    {
    }

    [MethodImpl(Inline)]
    public static void StoreBF16(float value, ushort* target)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        *target = (ushort)(float.IsNaN(value) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    [MethodImpl(Inline)]
    public static void StoreF16(float value, ushort* target) => *target = float.IsNaN(value)
        ? (ushort)(0x7E00 | ((BitConverter.SingleToUInt32Bits(value) >> 16) & 0x8000))
        : BitConverter.HalfToUInt16Bits((Half)value);

    [MethodImpl(Inline)]
    public static float Add(float a, float b) => a + b;

    [MethodImpl(Inline)]
    public static float Sub(float a, float b) => a - b;

    [MethodImpl(Inline)]
    public static float Mul(float a, float b) => a * b;

    [MethodImpl(Inline)]
    public static float Div(float a, float b) => a / b;

    [MethodImpl(Inline)]
    public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    [MethodImpl(Inline)]
    public static float Min(float a, float b) => a < b ? a : b;

    [MethodImpl(Inline)]
    public static float Max(float a, float b) => a > b ? a : b;

    [MethodImpl(Inline)]
    public static float Round(float a) => MathF.Round(a);

    [MethodImpl(Inline)]
    public static float Abs(float a) => MathF.Abs(a);

    [MethodImpl(Inline)]
    public static float IfLess(float a, float b, float yes, float no) => a < b ? yes : no;

    [MethodImpl(Inline)]
    public static float Exp2(float n) => BitConverter.Int32BitsToSingle(((int)n + 127) << 23);

    [MethodImpl(Inline)]
    public static float Sum(float value) => value;

    [MethodImpl(Inline)]
    public static Vector128<float> Sum4(float a, float b, float c, float d) => Vector128.Create(a, b, c, d);

    [MethodImpl(Inline)]
    public static float MaxLane(float value) => value;
}
