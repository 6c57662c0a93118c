using System.Globalization;

namespace Hearth.Cluster.Bench;

/// <summary>Live migration with real parts: replies that move are the same as those that stay, what a move costs their
/// reader, and what is left behind. Usage:
/// moves HOST:PORT DIR [COUNT [talks HISTORY…]]: so many moves at random moments, of talks whose first prompts have so many
/// tokens;
/// moves HOST:PORT DIR COUNT HISTORY…: the pauses of one reply at a time that goes to and fro, and how fast caches are
/// copied.</summary>
static class MovesBench
{
    /// <summary>Moves before those that are measured: code is compiled and connections are opened in them.</summary>
    const int First = 4;

    public static async Task RunAsync(string[] args)
    {
        var (redis, directory) = (args[0], args[1]);
        var count = args.Length > 2 ? Number(args[2]) : 1000;
        if (args.Length <= 3)
            await TalksAsync(redis, directory, count, [0]);
        else if (args[3] == "talks")
            await TalksAsync(redis, directory, count, [.. args.Skip(4).Select(Number)]);
        else
            await PausesAsync(redis, directory, count, [.. args.Skip(3).Select(Number)]);
    }

    static async Task TalksAsync(string redis, string directory, int count, int[] histories)
    {
        await using var silos = await TwoSilos.StartAsync(redis, directory, MoveTalks.BlocksFor(histories), default);
        var tally = await MoveTalks.RunAsync(silos, count, histories, default);
        MovesReport.Show($"{tally.Turns} turns, histories of {string.Join(", ", histories)} tokens", silos, tally);
    }

    static async Task PausesAsync(string redis, string directory, int count, int[] histories)
    {
        foreach (var history in histories)
            await PausesAsync(redis, directory, count, history);
    }

    static async Task PausesAsync(string redis, string directory, int count, int history)
    {
        await using var silos = await TwoSilos.StartAsync(redis, directory, (history / 16 * 3) + 100, default);
        var first = await LongReplies.RunAsync(silos, history, First, default);
        Console.WriteLine($"{history} tokens, the first {First} moves: pauses of "
            + string.Join(", ", silos.Trace.Pauses.Select(p => $"{p.Total:F1} (compiling {p.Compiling:F1})")) + " ms");
        silos.Trace.Pauses.Clear();
        silos.Copies.Take();
        var collected = Enumerable.Range(0, 3).Select(GC.CollectionCount).ToArray();
        var tally = await LongReplies.RunAsync(silos, history, count, default);
        tally.Differences.AddRange(first.Differences);
        MovesReport.Show($"{history} tokens", silos, tally);
        MovesReport.ShowPauses(silos.Trace, tally, [.. collected.Select((before, i) => GC.CollectionCount(i) - before)]);
    }

    static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
