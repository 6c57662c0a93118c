using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hearth.Kernels;

readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Lanes => 8;

    [MethodImpl(Inline)]
    public static Vector256<float> Set(float value) => Vector256.Create(value);

    [MethodImpl(Inline)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(Inline)]
    public static void Store(Vector256<float> value, float* target) => value.Store(target);

    public static Vector256<float> LoadPart(float* source, int count)
    {
        var part = Vector256<float>.Zero;
        Unsafe.CopyBlockUnaligned(&part, source, (uint)count * sizeof(float));
        return part;
    }

    public static void StorePart(Vector256<float> value, float* target, int count) =>
        Unsafe.CopyBlockUnaligned(target, &value, (uint)count * sizeof(float));

    [MethodImpl(Inline)]
    public static Vector256<float> LoadBF16(ushort* source) =>
        (Widen(source) << 16).AsSingle();

    [MethodImpl(Inline)]
    public static Vector256<float> LoadF16(ushort* source)
    {
        var half = Vector128.Load(source);
        var value = FromPlaces(Vector256.WidenLower(half.AsInt16().ToVector256Unsafe()) << 13);
        return Vector128.EqualsAny(half & Vector128.Create(Half16.Exponent), Vector128.Create(Half16.Exponent))
            ? WithSpecials(value) : value;
    }

    [MethodImpl(Inline)]
    public static Vector256<float> LoadI8(sbyte* source) => Vector256.ConvertToSingle(Extend(source));

    [MethodImpl(Inline)]
    public static Vector256<float> LoadField(byte* source, int shift, int mask) =>
        Vector256.ConvertToSingle((Extend(source) >> shift) & Vector256.Create(mask));

    [MethodImpl(Inline)]
    public static Vector256<float> LoadHalves(byte* source, int shift, Vector256<float> scale, Vector256<float> offset) =>
        Vector256.FusedMultiplyAdd(LoadField(source, shift, 15), scale, offset);

    [MethodImpl(Inline)]
    public static Vector256<float> LoadF8(sbyte* source, int shift, int places, float rebias) =>
        ((Extend(source) << shift) & Vector256.Create(places)).AsSingle() * Vector256.Create(rebias);

    [MethodImpl(Inline)]
    public static Vector256<float> LaneBits(uint bits)
    {
        var lanes = Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128);
        return Vector256.ConditionalSelect(Vector256.Equals(Vector256.Create((int)bits) & lanes, lanes).AsSingle(),
            Vector256<float>.One, Vector256<float>.Zero);
    }

    /// <summary>Eight bytes, their signs extended.</summary>
    [MethodImpl(Inline)]
    internal static Vector256<int> Extend(void* source)
    {
        var bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<long>(source)).AsSByte();
        return Avx2.IsSupported
            ? Avx2.ConvertToVector256Int32(bytes)
            : Vector256.WidenLower(Vector128.WidenLower(bytes).ToVector256Unsafe());
    }

    [MethodImpl(Inline)]
    public static void LoadPairBF16(ushort* source, out Vector256<float> even, out Vector256<float> odd)
    {
        var bits = Vector256.Load((uint*)source);
        even = (bits << 16).AsSingle();
        odd = (bits & Vector256.Create(0xFFFF0000u)).AsSingle();
    }

    [MethodImpl(Inline)]
    public static void LoadPairF16(ushort* source, out Vector256<float> even, out Vector256<float> odd)
    {
        var bits = Vector256.Load((int*)source);
        even = FromPlaces((bits << 16) >> 3);
        odd = FromPlaces(bits >> 3);
        if (Vector256.EqualsAny(bits.AsUInt16() & Vector256.Create(Half16.Exponent), Vector256.Create(Half16.Exponent)))
        {
            (even, odd) = (WithSpecials(even), WithSpecials(odd));
        }
    }

    [MethodImpl(Inline)]
    public static void Interleave(ref Vector256<float> a, ref Vector256<float> b)
    {
        Vector128<float> a0 = a.GetLower(), a1 = a.GetUpper(), b0 = b.GetLower(), b1 = b.GetUpper();
        a = Vector256.Create(ZipLow(a0, b0), ZipHigh(a0, b0));
        b = Vector256.Create(ZipLow(a1, b1), ZipHigh(a1, b1));
    }

    [MethodImpl(Inline)]
    public static void Separate(ref Vector256<float> a, ref Vector256<float> b)
    {
        var order = Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7);
        var (left, right) = (Vector256.Shuffle(a, order), Vector256.Shuffle(b, order));
        a = Vector256.Create(left.GetLower(), right.GetLower());
        b = Vector256.Create(left.GetUpper(), right.GetUpper());
    }

    [MethodImpl(Inline)]
    public static void StoreBF16(Vector256<float> value, ushort* target)
    {
        var bits = value.AsUInt32();
        var rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >> 16) & Vector256<uint>.One)) >> 16;
        var quiet = (bits >> 16) | Vector256.Create(0x40u);
        Narrow(Vector256.ConditionalSelect(Vector256.Equals(value, value).AsUInt32(), rounded, quiet)).Store(target);
    }

    [MethodImpl(Inline)]
    public static void StoreF16(Vector256<float> value, ushort* target)
    {
        var sign = (value.AsUInt32() >> 16) & Vector256.Create(0x8000u);
        var magnitude = Vector256.Abs(value);
        // Adding 2^(e+13) makes the addition itself round the mantissa to 10 bits (fewer for subnormals).
        var exponent = Vector256.Max(magnitude.AsUInt32() & Vector256.Create(0x7F800000u), Vector256.Create(Half16.ExponentMin));
        var magic = (exponent + Vector256.Create(Half16.RoundShift)).AsSingle();
        var sum = (magnitude + magic).AsUInt32() - magic.AsUInt32();
        var bits = sum + ((exponent - Vector256.Create(Half16.ExponentMin)) >> 13);
        bits = Vector256.ConditionalSelect(
            Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(65520f)).AsUInt32(), Vector256.Create(0x7C00u), bits);
        bits = Vector256.ConditionalSelect(Vector256.Equals(value, value).AsUInt32(), bits, Vector256.Create(0x7E00u));
        Narrow(bits | sign).Store(target);
    }

    [MethodImpl(Inline)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(Inline)]
    public static Vector256<float> Sub(Vector256<float> a, Vector256<float> b) => a - b;

    [MethodImpl(Inline)]
    public static Vector256<float> Mul(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(Inline)]
    public static Vector256<float> Div(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(Inline)]
    public static Vector256<float> Fma(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Vector256.FusedMultiplyAdd(a, b, c);

    [MethodImpl(Inline)]
    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Vector256.MinNative(a, b);

    [MethodImpl(Inline)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.MaxNative(a, b);

    [MethodImpl(Inline)]
    public static Vector256<float> Round(Vector256<float> a) => Vector256.Round(a);

    [MethodImpl(Inline)]
    public static Vector256<float> Abs(Vector256<float> a) => Vector256.Abs(a);

    [MethodImpl(Inline)]
    public static Vector256<float> IfLess(Vector256<float> a, Vector256<float> b, Vector256<float> yes, Vector256<float> no) =>
        Vector256.ConditionalSelect(Vector256.LessThan(a, b), yes, no);

    [MethodImpl(Inline)]
    public static Vector256<float> Exp2(Vector256<float> n) =>
        ((Vector256.ConvertToInt32Native(n) + Vector256.Create(127)) << 23).AsSingle();

    [MethodImpl(Inline)]
    public static float Sum(Vector256<float> value) => Sum(value.GetLower() + value.GetUpper());

    [MethodImpl(Inline)]
    public static Vector128<float> Sum4(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
    {
        var (p, q) = (a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper());
        var (r, s) = (c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());
        // Transposed as it is added: (p0 + p2, q0 + q2, p1 + p3, q1 + q3), then the pairs.
        var pq = ZipLow(p, q) + ZipHigh(p, q);
        var rs = ZipLow(r, s) + ZipHigh(r, s);
        return Vector128.Create(pq.GetLower(), rs.GetLower()) + Vector128.Create(pq.GetUpper(), rs.GetUpper());
    }

    [MethodImpl(Inline)]
    public static float MaxLane(Vector256<float> value) =>
        MaxLane(Vector128.MaxNative(value.GetLower(), value.GetUpper()));

    [MethodImpl(Inline)]
    static float Sum(Vector128<float> value)
    {
        var pairs = value + Vector128.Shuffle(value, Vector128.Create(2, 3, 0, 1));
        return pairs.ToScalar() + pairs.GetElement(1);
    }

    [MethodImpl(Inline)]
    static float MaxLane(Vector128<float> value)
    {
        var pairs = Vector128.MaxNative(value, Vector128.Shuffle(value, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(pairs.ToScalar(), pairs.GetElement(1));
    }

    /// <summary>
    /// From an f16 whose bits were moved to f32's places with the sign extended: a product re-biases the exponent and normalises
    /// subnormals.
    /// </summary>
    [MethodImpl(Inline)]
    static Vector256<float> FromPlaces(Vector256<int> moved) =>
        (moved & Vector256.Create(Half16.Places)).AsSingle() * Vector256.Create(Half16.Rebias);

    /// <summary>Infinities and NaN have come out of <see cref="FromPlaces"/> as numbers from 65,536 on.</summary>
    [MethodImpl(Inline)]
    static Vector256<float> WithSpecials(Vector256<float> value) =>
        value | (Vector256.GreaterThanOrEqual(Vector256.Abs(value), Vector256.Create(65536f))
            & Vector256.Create(float.PositiveInfinity));

    [MethodImpl(Inline)]
    static Vector256<uint> Widen(ushort* source) => Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe());

    [MethodImpl(Inline)]
    static Vector128<ushort> Narrow(Vector256<uint> bits) => Vector128.Narrow(bits.GetLower(), bits.GetUpper());

    [MethodImpl(Inline)]
    static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b) => Sse.IsSupported
        ? Sse.UnpackLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(Inline)]
    static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b) => Sse.IsSupported
        ? Sse.UnpackHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);
}
