using Xunit;

namespace Hearth.Cuda.Tests;

/// <summary>Seeded numbers, and their stored types.</summary>
static class Data
{
    public static TheoryData<string> Types => ["f32", "bf16", "f16"];

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

    public static ushort Bf16(float x)
    {
        var bits = BitConverter.SingleToUInt32Bits(x);
        if (float.IsNaN(x))
            return 0x7fff;
        return (ushort)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }

    public static float FromBf16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>The values as a type stores them.</summary>
    public static Array Stored(string type, float[] values) => type switch
    {
        "f32" => (float[])values.Clone(),
        "bf16" => Array.ConvertAll(values, Bf16),
        _ => Array.ConvertAll(values, x => BitConverter.HalfToUInt16Bits((Half)x)),
    };

    /// <summary>What is left of the values when they are stored.</summary>
    public static float[] Rounded(string type, float[] values) => FromStored(type, Stored(type, values));

    public static float[] FromStored(string type, Array stored) => type switch
    {
        "f32" => (float[])stored,
        "bf16" => Array.ConvertAll((ushort[])stored, FromBf16),
        _ => Array.ConvertAll((ushort[])stored, bits => (float)BitConverter.UInt16BitsToHalf(bits)),
    };

    /// <summary>A row rounded as KvInt8 does it.</summary>
    public static float[] Int8Row(float[] row)
    {
        var largest = row.Max(MathF.Abs);
        return largest == 0 ? row : Array.ConvertAll(row, x => MathF.Round(x * (127 / largest)) * (largest / 127));
    }

    static readonly float[] _float8 = [.. Enumerable.Range(0, 127).Select(code =>
        code < 8 ? code / 512f : (1 + code % 8 / 8f) * MathF.Pow(2, code / 8 - 7))];

    /// <summary>A row scaled to e4m3's range and rounded to the nearest, ties to even.</summary>
    public static float[] Float8Row(float[] row)
    {
        var largest = row.Max(MathF.Abs);
        return largest == 0
            ? row : Array.ConvertAll(row, x => MathF.CopySign(Nearest(MathF.Abs(x * (448 / largest))), x) * (largest / 448));

        static float Nearest(float x)
        {
            var above = Array.FindIndex(_float8, v => v >= x);
            if (above <= 0)
                return above < 0 ? 448 : 0;
            var (low, high) = (_float8[above - 1], _float8[above]);
            return x - low < high - x || (x - low == high - x && above % 2 == 1) ? low : high;
        }
    }

    public static IOutput Output(string type, int length) =>
        type == "f32" ? new Output<float>(length) : new Output<ushort>(length);

    public static IOutput Output(string type, Array initial) =>
        type == "f32" ? new Output<float>((float[])initial) : new Output<ushort>((ushort[])initial);

    public static float[] Values(string type, IOutput output) => output is Output<float> exact
        ? exact.Values! : FromStored(type, ((Output<ushort>)output).Values!);

    /// <summary>Rounding of a type, relative.</summary>
    public static double Epsilon(string type) => type switch { "f32" => 1e-6, "bf16" => 1.0 / 256, _ => 1.0 / 2048 };

    /// <summary>Every element is as far from the expected one as tolerance * (1 + its magnitude) allows.</summary>
    public static void Near(ReadOnlySpan<double> expected, ReadOnlySpan<float> actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(expected[i] - actual[i]) <= tolerance * (1 + Math.Abs(expected[i]))))
                Assert.Fail($"element {i} is {actual[i]}, expected {expected[i]}");
        }
    }
}
