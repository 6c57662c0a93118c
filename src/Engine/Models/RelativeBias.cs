namespace Hearth.Engine.Models;

/// <summary>T5's relative positions (Raffel et al. 2020): by bucket as they are stored, by distance as attention takes
/// them.</summary>
static class RelativeBias
{
    /// <param name="stored">[buckets, heads]</param>
    /// <returns>[heads, 2 * MaxDistance + 1], from the farthest key before the query to the farthest behind it.</returns>
    public static float[] Table(RelativeBiasSpec bias, float[] stored, ModelSpec spec)
    {
        var count = 2 * bias.MaxDistance + 1;
        var table = new float[spec.Heads * count];
        for (var i = 0; i < count; i++)
        {
            var bucket = Bucket(bias, i - bias.MaxDistance, spec.Bidirectional);
            for (var head = 0; head < spec.Heads; head++)
                table[head * count + i] = stored[bucket * spec.Heads + head];
        }
        return table;
    }

    /// <param name="distance">Key's position less query's.</param>
    static int Bucket(RelativeBiasSpec bias, int distance, bool bidirectional)
    {
        var (buckets, first) = bidirectional ? (bias.Buckets / 2, distance > 0 ? bias.Buckets / 2 : 0) : (bias.Buckets, 0);
        var far = bidirectional ? Math.Abs(distance) : Math.Max(-distance, 0);
        var exact = buckets / 2;
        if (far < exact)
            return first + far;
        // In f32, as the reference counts: at a bucket's edge the rounding decides.
        var share = MathF.Log((float)far / exact) / (float)Math.Log((double)bias.MaxDistance / exact);
        return first + Math.Min(buckets - 1, exact + (int)(share * (buckets - exact)));
    }
}
