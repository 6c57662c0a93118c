using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hearth.Kernels;

readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Lanes => 16;

    [MethodImpl(Inline)]
    public static Vector512<float> Set(float value) => Vector512.Create(value);

    [MethodImpl(Inline)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(Inline)]
    public static void Store(Vector512<float> value, float* target) => value.Store(target);

    public static Vector512<float> LoadPart(float* source, int count)
    {
        var part = Vector512<float>.Zero;
        Unsafe.CopyBlockUnaligned(&part, source, (uint)count * sizeof(float));
        return part;
    }

    public static void StorePart(Vector512<float> value, float* target, int count) =>
        Unsafe.CopyBlockUnaligned(target, &value, (uint)count * sizeof(float));

    [MethodImpl(Inline)]
    public static Vector512<float> LoadBF16(ushort* source) =>
        (Widen(source) << 16).AsSingle();

    [MethodImpl(Inline)]
    public static Vector512<float> LoadF16(ushort* source)
    {
        var half = Vector256.Load(source);
        var value = FromPlaces(Vector512.WidenLower(half.AsInt16().ToVector512Unsafe()) << 13);
        return Vector256.EqualsAny(half & Vector256.Create(Half16.Exponent), Vector256.Create(Half16.Exponent))
            ? WithSpecials(value) : value;
    }

    [MethodImpl(Inline)]
    public static Vector512<float> LoadI8(sbyte* source) => Vector512.ConvertToSingle(Extend(source));

    [MethodImpl(Inline)]
    public static Vector512<float> LoadField(byte* source, int shift, int mask) =>
        Vector512.ConvertToSingle((Extend(source) >> shift) & Vector512.Create(mask));

    [MethodImpl(Inline)]
    public static Vector512<float> LoadHalves(byte* source, int shift, Vector512<float> scale, Vector512<float> offset)
    {
        if (Avx512F.IsSupported)
        {
            // The 16 numbers that there are, picked by the low four bits of each lane.
            var table = Vector512.FusedMultiplyAdd(Vector512.Create(
                0f, 1f, 2f, 3f, 4f, 5f, 6f, 7f, 8f, 9f, 10f, 11f, 12f, 13f, 14f, 15f), scale, offset);
            return Avx512F.PermuteVar16x32(table, Extend(source) >> shift);
        }
        return Vector512.FusedMultiplyAdd(LoadField(source, shift, 15), scale, offset);
    }

    [MethodImpl(Inline)]
    public static Vector512<float> LoadF8(sbyte* source, int shift, int places, float rebias) =>
        ((Extend(source) << shift) & Vector512.Create(places)).AsSingle() * Vector512.Create(rebias);

    [MethodImpl(Inline)]
    public static Vector512<float> LaneBits(uint bits)
    {
        var lanes = Vector512.Create(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768);
        return Vector512.ConditionalSelect(Vector512.Equals(Vector512.Create((int)bits) & lanes, lanes).AsSingle(),
            Vector512<float>.One, Vector512<float>.Zero);
    }

    [MethodImpl(Inline)]
    public static void LoadPairBF16(ushort* source, out Vector512<float> even, out Vector512<float> odd)
    {
        var bits = Vector512.Load((uint*)source);
        even = (bits << 16).AsSingle();
        odd = (bits & Vector512.Create(0xFFFF0000u)).AsSingle();
    }

    [MethodImpl(Inline)]
    public static void LoadPairF16(ushort* source, out Vector512<float> even, out Vector512<float> odd)
    {
        var bits = Vector512.Load((int*)source);
        even = FromPlaces((bits << 16) >> 3);
        odd = FromPlaces(bits >> 3);
        if (Vector512.EqualsAny(bits.AsUInt16() & Vector512.Create(Half16.Exponent), Vector512.Create(Half16.Exponent)))
        {
            (even, odd) = (WithSpecials(even), WithSpecials(odd));
        }
    }

    [MethodImpl(Inline)]
    public static void Interleave(ref Vector512<float> a, ref Vector512<float> b)
    {
        var low = Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        (a, b) = (Pick(a, low, b), Pick(a, low + Vector512.Create(8), b));
    }

    [MethodImpl(Inline)]
    public static void Separate(ref Vector512<float> a, ref Vector512<float> b)
    {
        var even = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        (a, b) = (Pick(a, even, b), Pick(a, even + Vector512<int>.One, b));
    }

    [MethodImpl(Inline)]
    public static void StoreBF16(Vector512<float> value, ushort* target)
    {
        var bits = value.AsUInt32();
        var rounded = (bits + Vector512.Create(0x7FFFu) + ((bits >> 16) & Vector512<uint>.One)) >> 16;
        var quiet = (bits >> 16) | Vector512.Create(0x40u);
        Narrow(Vector512.ConditionalSelect(Vector512.Equals(value, value).AsUInt32(), rounded, quiet)).Store(target);
    }

    [MethodImpl(Inline)]
    public static void StoreF16(Vector512<float> value, ushort* target)
    {
        var sign = (value.AsUInt32() >> 16) & Vector512.Create(0x8000u);
        var magnitude = Vector512.Abs(value);
        // Adding 2^(e+13) makes the addition itself round the mantissa to 10 bits (fewer for subnormals).
        var exponent = Vector512.Max(magnitude.AsUInt32() & Vector512.Create(0x7F800000u), Vector512.Create(Half16.ExponentMin));
        var magic = (exponent + Vector512.Create(Half16.RoundShift)).AsSingle();
        var sum = (magnitude + magic).AsUInt32() - magic.AsUInt32();
        var bits = sum + ((exponent - Vector512.Create(Half16.ExponentMin)) >> 13);
        bits = Vector512.ConditionalSelect(
            Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(65520f)).AsUInt32(), Vector512.Create(0x7C00u), bits);
        bits = Vector512.ConditionalSelect(Vector512.Equals(value, value).AsUInt32(), bits, Vector512.Create(0x7E00u));
        Narrow(bits | sign).Store(target);
    }

    [MethodImpl(Inline)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(Inline)]
    public static Vector512<float> Sub(Vector512<float> a, Vector512<float> b) => a - b;

    [MethodImpl(Inline)]
    public static Vector512<float> Mul(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(Inline)]
    public static Vector512<float> Div(Vector512<float> a, Vector512<float> b) => a / b;

    [MethodImpl(Inline)]
    public static Vector512<float> Fma(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Vector512.FusedMultiplyAdd(a, b, c);

    [MethodImpl(Inline)]
    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Vector512.MinNative(a, b);

    [MethodImpl(Inline)]
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.MaxNative(a, b);

    [MethodImpl(Inline)]
    public static Vector512<float> Round(Vector512<float> a) => Vector512.Round(a);

    [MethodImpl(Inline)]
    public static Vector512<float> Abs(Vector512<float> a) => Vector512.Abs(a);

    [MethodImpl(Inline)]
    public static Vector512<float> IfLess(Vector512<float> a, Vector512<float> b, Vector512<float> yes, Vector512<float> no) =>
        Vector512.ConditionalSelect(Vector512.LessThan(a, b), yes, no);

    [MethodImpl(Inline)]
    public static Vector512<float> Exp2(Vector512<float> n) =>
        ((Vector512.ConvertToInt32Native(n) + Vector512.Create(127)) << 23).AsSingle();

    [MethodImpl(Inline)]
    public static float Sum(Vector512<float> value) => Simd256.Sum(value.GetLower() + value.GetUpper());

    [MethodImpl(Inline)]
    public static Vector128<float> Sum4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) =>
        Simd256.Sum4(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(),
            c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());

    [MethodImpl(Inline)]
    public static float MaxLane(Vector512<float> value) =>
        Simd256.MaxLane(Vector256.MaxNative(value.GetLower(), value.GetUpper()));

    [MethodImpl(Inline)]
    static Vector512<float> Pick(Vector512<float> a, Vector512<int> index, Vector512<float> b)
    {
        if (Avx512F.IsSupported)
        {
            return Avx512F.PermuteVar16x32x2(a, index, b);
        }
        var picked = Vector512<float>.Zero;
        for (var lane = 0; lane < 16; lane++)
        {
            picked = picked.WithElement(lane, index[lane] < 16 ? a[index[lane]] : b[index[lane] - 16]);
        }
        return picked;
    }

    /// <summary>
    /// From an f16 whose bits were moved to f32's places with the sign extended: a product re-biases the exponent and normalises
    /// subnormals.
    /// </summary>
    [MethodImpl(Inline)]
    static Vector512<float> FromPlaces(Vector512<int> moved) =>
        (moved & Vector512.Create(Half16.Places)).AsSingle() * Vector512.Create(Half16.Rebias);

    /// <summary>Infinities and NaN have come out of <see cref="FromPlaces"/> as numbers from 65,536 on.</summary>
    [MethodImpl(Inline)]
    static Vector512<float> WithSpecials(Vector512<float> value) =>
        value | (Vector512.GreaterThanOrEqual(Vector512.Abs(value), Vector512.Create(65536f))
            & Vector512.Create(float.PositiveInfinity));

    [MethodImpl(Inline)]
    static Vector512<int> Extend(void* source) => Avx512F.IsSupported
        ? Avx512F.ConvertToVector512Int32(Vector128.Load((sbyte*)source))
        : Vector512.Create(Simd256.Extend(source), Simd256.Extend((sbyte*)source + 8));

    [MethodImpl(Inline)]
    static Vector512<uint> Widen(ushort* source) => Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe());

    [MethodImpl(Inline)]
    static Vector256<ushort> Narrow(Vector512<uint> bits) => Avx512F.IsSupported
        ? Avx512F.ConvertToVector256UInt16(bits)
        : Vector256.Narrow(bits.GetLower(), bits.GetUpper());
}
