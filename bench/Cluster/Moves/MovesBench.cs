using System.Globalization;
using Hearth.Contracts;

namespace Hearth.Cluster.Bench;

/// <summary>Live migration with real parts: replies that move are the same as those that stay, what a move costs their
/// reader, and what is left behind. Usage: moves HOST:PORT DIR [count] [history…]; with histories, long replies that go
/// to and fro.</summary>
static class MovesBench
{
    const int Lanes = 3;

    public static async Task RunAsync(string[] args)
    {
        var count = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 1000;
        if (args.Length <= 3)
            await TalksAsync(args[0], args[1], count);
        foreach (var history in args.Skip(3))
            await LongAsync(args[0], args[1], count, int.Parse(history, CultureInfo.InvariantCulture));
    }

    static async Task TalksAsync(string redis, string directory, int count)
    {
        await using var silos = await TwoSilos.StartAsync(redis, directory, 2000, default);
        var tally = await MoveTalks.RunAsync(silos, count, Lanes, default);
        Show($"{tally.Turns} turns", silos, tally);
    }

    /// <summary>One prompt of so many tokens; its reply alone, then the same again with moves every few tokens.</summary>
    static async Task LongAsync(string redis, string directory, int count, int history)
    {
        await using var silos = await TwoSilos.StartAsync(redis, directory, (history / 16 * 3) + 100, default);
        var tally = new MoveTally();
        var text = await TextOfAsync(silos, history);
        var alone = new Follower(silos, Turn(silos, text, new("alone")), 0);
        await alone.RunAsync(default);
        tally.Add(alone, moved: false);
        for (var reply = 0; tally.Moves < count && tally.Refusals.Count < 5; reply++)
        {
            var (at, conversation) = (0, new ConversationId($"moved-{reply}"));
            var follower = new Follower(silos, Turn(silos, text, conversation), 0);
            var reading = follower.RunAsync(default);
            for (var tokens = 8; tokens < ReplyTokens - 8 && tally.Moves < count; tokens += 12)
            {
                await follower.UntilAsync(tokens);
                if (reading.IsCompleted)
                    break;
                if (await silos.MoveAsync(at, conversation, default) is { } reason)
                {
                    tally.Refused(reason);
                    continue;
                }
                (at, tally.Moves) = (1 - at, tally.Moves + 1);
            }
            await reading;
            tally.Turns++;
            tally.Add(follower, moved: true);
            if (follower.Essence != alone.Essence)
                tally.Differences.Add($"reply {reply} differs");
            await silos[at].DropAsync(conversation);
        }
        Show($"{history} tokens", silos, tally);
    }

    const int ReplyTokens = 120;

    static async Task<string> TextOfAsync(TwoSilos silos, int tokens)
    {
        var text = Words.Of(new Random(1), tokens * 2);
        while (true)
        {
            var made = (await silos[0].Cluster.TokenizeChatAsync(silos.Model, [MessageItem.Of(Role.User, text)], default)).Length;
            if (made <= tokens)
                return text;
            text = text[..(int)Math.Min(text.Length - 1, (long)text.Length * tokens / made)];
        }
    }

    static ChatTurn Turn(TwoSilos silos, string text, ConversationId conversation) => new()
    {
        Id = new TurnId("long"),
        Tenant = TenantId.Local,
        Conversation = conversation,
        Model = silos.Model,
        History = HistoryMode.Append,
        Items = [MessageItem.Of(Role.User, text)],
        BodyHash = "long",
        Created = DateTimeOffset.UnixEpoch,
        Generation = new GenerationOptions
        {
            MaxTokens = ReplyTokens,
            IgnoreEos = true,
            Logprobs = true,
            Sampling = new SamplingOptions { Seed = 7 },
        },
    };

    static void Show(string what, TwoSilos silos, MoveTally tally)
    {
        var (step, worst) = (At(tally.Steps, 0.5), At(tally.Steps, 0.99));
        var copies = silos.Copies.Moves.ToArray();
        var rates = copies.Select(c => c.Bytes / 1e9 / c.Seconds).ToList();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{what}: {tally.Moves} moves ({string.Join(", ", tally.Moments.Select(m => $"{m.Value} {m.Key}"))}), "
            + $"{tally.Differences.Count} differences"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  pause p50 {At(tally.Pauses, 0.5):F2} p99 {At(tally.Pauses, 0.99):F2} ms of {tally.Pauses.Count}; "
            + $"decode step p50 {step:F2} p99 {worst:F2} ms; pause p50 = {At(tally.Pauses, 0.5) / step:F2} steps, "
            + $"p99 = {At(tally.Pauses, 0.99) / worst:F2} p99 steps"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  copied {copies.Sum(c => c.Bytes) / 1e6:F0} MB at p50 {At(rates, 0.5):F2} best {At(rates, 1):F2} GB/s"));
        foreach (var (reason, times) in tally.Refusals)
            Console.WriteLine($"  {times} times: {reason}");
        foreach (var difference in tally.Differences.Take(3))
            Console.WriteLine(difference);
    }

    static double At(List<double> values, double part)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[(int)Math.Min(sorted.Length - 1, Math.Floor(part * sorted.Length))];
    }
}
