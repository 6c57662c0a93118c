namespace Hearth.Cluster.Bench;

/// <summary>Many talks, some at a time.</summary>
static class MoveTalks
{
    const int Kept = 4;
    const int Lanes = 3;

    /// <summary>Blocks that talks with such histories need at most, in one engine.</summary>
    public static int BlocksFor(int[] histories) => 2000 + ((Kept + (2 * Lanes)) * histories.Max() / 16);

    /// <summary>Talks until so many moves are done; then counts what both engines hold.</summary>
    /// <param name="histories">Tokens of the talks' first prompts, in turn; 0 for a few.</param>
    public static async Task<MoveTally> RunAsync(
        TwoSilos silos, int moves, int[] histories, CancellationToken cancellationToken)
    {
        var texts = new string[histories.Length];
        for (var i = 0; i < texts.Length; i++)
            texts[i] = histories[i] == 0 ? "" : await Words.OfTokensAsync(silos, histories[i]);
        var tally = new MoveTally();
        var kept = new Queue<MovedTalk>();
        var seed = 0;
        await Task.WhenAll(Enumerable.Range(0, Lanes).Select(_ => LaneAsync()));
        await CountAsync(silos, tally, kept);
        return tally;

        async Task LaneAsync()
        {
            while (Next() is { } talk)
            {
                await talk.RunAsync(cancellationToken);
                MovedTalk? old = null;
                lock (tally)
                {
                    kept.Enqueue(talk);
                    if (kept.Count > Kept)
                        old = kept.Dequeue();
                }
                if (old is not null)
                    await DropAsync(silos, old);
            }
        }

        MovedTalk? Next()
        {
            lock (tally)
            {
                return tally.Moves < moves && tally.Refusals.Values.Sum() <= moves
                    ? new MovedTalk(silos, tally, texts[seed % texts.Length], seed++)
                    : null;
            }
        }
    }

    /// <summary>Blocks are used for caches that are kept, and for nothing else.</summary>
    static async Task CountAsync(TwoSilos silos, MoveTally tally, Queue<MovedTalk> kept)
    {
        for (var i = 0; i < 2; i++)
        {
            var expected = kept.Sum(t => silos[i].BlocksOf(t.Conversation));
            if (await silos[i].SettleAsync(expected) is var used && used != expected)
                tally.Differences.Add($"silo {i} uses {used} blocks for caches of {expected}");
        }
        foreach (var talk in kept)
            await DropAsync(silos, talk);
        for (var i = 0; i < 2; i++)
        {
            if (await silos[i].SettleAsync(0) is > 0 and var left)
                tally.Differences.Add($"silo {i} keeps {left} blocks for nothing");
        }
    }

    static async Task DropAsync(TwoSilos silos, MovedTalk talk)
    {
        await silos[0].DropAsync(talk.Conversation);
        await silos[1].DropAsync(talk.Conversation);
    }
}
