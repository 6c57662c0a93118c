namespace Hearth.Engine.Models;

/// <summary>The weights of latent attention as the forward pass takes them: a key is the sum of what its latent gives and of
/// what turns, so each map has rows of zeros where the other one fills in.</summary>
sealed class LatentReader(WeightReader reader, ModelSpec spec, LatentSpec latent)
{
    int Plain => spec.HeadDim - latent.RopeDim;

    int ValueDim => spec.ValueDim ?? spec.HeadDim;

    public AttentionWeights Read(LinearWeights output)
    {
        var down = reader.Linear(latent.KvDown, spec.Width);
        var up = reader.Linear(latent.KvUp, latent.KvRank);
        var queries = latent.QueryDown is { } query ? query.Rows : spec.Width;
        return new(
            reader.Reorder(reader.Linear(latent.QueryUp, queries), OfHeads(spec.HeadDim, 0, Plain, Turning(Plain))),
            reader.Reorder(up, OfHeads(Plain + ValueDim, 0, Plain, Enumerable.Repeat(-1, latent.RopeDim))),
            reader.Reorder(up, OfHeads(Plain + ValueDim, Plain, ValueDim, [])),
            null,
            null,
            output)
        {
            Latent = new(
                latent.QueryDown is { } narrow ? reader.Linear(narrow, spec.Width) : null,
                latent.QueryNorm is { } norm ? reader.Norm(norm, queries) : null,
                down.Part(0, latent.KvRank),
                reader.Norm(latent.KvNorm, latent.KvRank),
                reader.Reorder(down, [.. Turning(latent.KvRank)]),
                RopeToKeys()),
        };
    }

    /// <summary>For each head, rows first..first+count-1 of its <paramref name="height"/>, and then some more (-1
    /// stays).</summary>
    int[] OfHeads(int height, int first, int count, IEnumerable<int> more) =>
    [
        .. Enumerable.Range(0, spec.Heads).SelectMany(head =>
            Enumerable.Range(first, count).Concat(more).Select(row => row < 0 ? row : head * height + row)),
    ];

    /// <summary>The rows of what turns: in halves, however they are stored.</summary>
    IEnumerable<int> Turning(int first)
    {
        var half = latent.RopeDim / 2;
        return Enumerable.Range(0, latent.RopeDim)
            .Select(i => first + (latent.Interleaved ? i < half ? 2 * i : 2 * (i - half) + 1 : i));
    }

    LinearWeights RopeToKeys() => reader.Spread(
        [
            .. Enumerable.Range(0, spec.Heads)
                .SelectMany(_ => Enumerable.Repeat(-1, Plain).Concat(Enumerable.Range(0, latent.RopeDim))),
        ],
        latent.RopeDim);
}
