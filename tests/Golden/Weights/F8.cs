namespace Hearth.Golden.Tests;

/// <summary>The f8 format with four exponent bits, number by number.</summary>
static class F8
{
    static readonly float[] Positive = [.. Enumerable.Range(0, 127).Select(bits => Number((byte)bits))];

    public static float Number(byte bits)
    {
        var (exponent, mantissa) = ((bits >> 3) & 15, bits & 7);
        var magnitude = exponent == 0 ? mantissa / 512f : MathF.ScaleB(8 + mantissa, exponent - 10);
        return bits < 128 ? magnitude : -magnitude;
    }

    /// <summary>The nearest.</summary>
    public static byte Round(float value)
    {
        var at = Array.BinarySearch(Positive, MathF.Abs(value));
        at = at >= 0 ? at : Math.Min(~at, Positive.Length - 1);
        if (at > 0 && MathF.Abs(value) - Positive[at - 1] < Positive[at] - MathF.Abs(value))
            at--;
        return (byte)(value < 0 ? at | 128 : at);
    }
}
