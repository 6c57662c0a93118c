namespace Hearth.Engine.Sampling;

/// <summary>Random numbers by position instead of by state: a reply that moves or resumes draws the same ones again.
/// The mixer is SplitMix64's finaliser (Steele, Lea, Flood 2014).</summary>
static class CounterRandom
{
    /// <returns>Uniform in [0, 1), 53 bits.</returns>
    public static double Draw(long seed, int position)
    {
        var stream = Mix((ulong)seed + 0x9E3779B97F4A7C15UL);
        return (Mix(stream + (((ulong)position + 1) * 0x9E3779B97F4A7C15UL)) >> 11) * (1.0 / (1UL << 53));
    }

    static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
