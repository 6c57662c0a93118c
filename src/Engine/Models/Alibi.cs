namespace Hearth.Engine.Models;

/// <summary>By head, what a score loses per position (Press, Smith and Lewis 2021): powers of one base for a power of two of
/// heads; the two ways in which checkpoints fill up other numbers.</summary>
static class Alibi
{
    /// <summary>The slopes of the power of two below, then every other one of the power above.</summary>
    public static double[] Slopes(int heads)
    {
        var below = 1 << (int)Math.Log2(heads);
        return [.. OfPower(below), .. OfPower(2 * below).Where((_, i) => i % 2 == 0).Take(heads - below)];
    }

    /// <summary>Of the power of two above, every other one from the second on, then those between.</summary>
    public static double[] SlopesFromAll(int heads)
    {
        var above = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)heads);
        var all = OfPower(above);
        return above == heads
            ? all
            : [.. all.Where((_, i) => i % 2 == 1).Concat(all.Where((_, i) => i % 2 == 0)).Take(heads)];
    }

    static double[] OfPower(int heads) => [.. Enumerable.Range(1, heads).Select(i => Math.Pow(2, -8.0 * i / heads))];
}
