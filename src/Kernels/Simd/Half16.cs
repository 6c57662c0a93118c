namespace Hearth.Kernels;

/// <summary>Constants of the f16 conversions.</summary>
static class Half16
{
    /// <summary>2^112: from f16's exponent bias to f32's.</summary>
    public const float Rebias = 5.192296858534828e33f;

    /// <summary>Where an f16's sign, exponent and mantissa are after sign extension and a shift by 13.</summary>
    public const int Places = unchecked((int)0x8FFFE000);

    /// <summary>All ones in an infinity or NaN.</summary>
    public const ushort Exponent = 0x7C00;

    /// <summary>2^-14 as f32 bits, the smallest normal f16.</summary>
    public const uint ExponentMin = 113u << 23;

    /// <summary>13 in the exponent field: f32 has 13 mantissa bits more.</summary>
    public const uint RoundShift = 13u << 23;
}
