namespace Hearth.Grains.Caches;

/// <summary>How caches lie in the store.</summary>
/// <param name="Compress">Costs processor time at every turn; worth it where the way to the store is slow.</param>
/// <param name="Keys">Null leaves them unencrypted.</param>
/// <param name="Quantize">As int8: about half the bytes, rounded: what is restored is not exactly what was computed, and says
/// so.</param>
public sealed record SpillOptions(bool Compress = false, SpillKeys? Keys = null, bool Quantize = false)
{
    public static SpillOptions Exact { get; } = new();
}
