using Hearth.Contracts;

namespace Hearth.Cluster.Bench;

/// <summary>What a reader sees of moves: one prompt of so many tokens, its reply alone, then the same again with a move every
/// few tokens.</summary>
static class LongReplies
{
    const int ReplyTokens = 120;
    const int TokensApart = 10;
    const int IdleMoves = 4;

    public static async Task<MoveTally> RunAsync(TwoSilos silos, int history, int moves, CancellationToken cancellationToken)
    {
        var tally = new MoveTally();
        var text = await Words.OfTokensAsync(silos, history);
        var alone = new Follower(silos, Turn(silos, text, new("alone")), 0);
        await alone.RunAsync(cancellationToken);
        for (var reply = 0; tally.Moves < moves && tally.Refusals.Values.Sum() <= moves; reply++)
        {
            await MoveReplyAsync(silos, tally, text, new($"moved-{reply}"), alone.Essence, moves, cancellationToken);
            // The machine is not the same from minute to minute: a step is measured beside the moves.
            var again = new Follower(silos, Turn(silos, text, new($"alone-{reply}")), 0);
            await again.RunAsync(cancellationToken);
            tally.Add(again, moved: false);
            await silos[0].DropAsync(new($"alone-{reply}"));
        }
        return tally;
    }

    static async Task MoveReplyAsync(TwoSilos silos, MoveTally tally, string text, ConversationId conversation, string expected,
        int moves, CancellationToken cancellationToken)
    {
        var at = 0;
        var follower = new Follower(silos, Turn(silos, text, conversation), 0);
        var reading = follower.RunAsync(cancellationToken);
        for (var tokens = TokensApart; tokens < ReplyTokens - TokensApart && tally.Moves < moves; tokens += TokensApart)
        {
            await follower.UntilAsync(tokens);
            if (reading.IsCompleted)
                break;
            silos.Trace.Begin();
            if (await silos.MoveAsync(at, conversation, cancellationToken) is { } reason)
            {
                tally.Refused(reason);
                continue;
            }
            (at, tally.Moves) = (1 - at, tally.Moves + 1);
        }
        await reading;
        tally.Turns++;
        tally.Add(follower, moved: true);
        if (follower.Essence != expected)
            tally.Differences.Add($"{conversation} differs");
        tally.Copies.AddRange(silos.Copies.Take());
        at = await MoveIdleAsync(silos, tally, at, conversation, cancellationToken);
        await silos[at].DropAsync(conversation);
    }

    /// <summary>Moves a conversation that does nothing, once its cache is in the store.</summary>
    /// <returns>Where it is.</returns>
    static async Task<int> MoveIdleAsync(
        TwoSilos silos, MoveTally tally, int at, ConversationId conversation, CancellationToken cancellationToken)
    {
        for (var tries = 0; tries < 200; tries++)
        {
            var now = await silos[at].Cluster.DescribeConversationAsync(TenantId.Local, conversation, cancellationToken);
            if (now!.SpilledTokens == now.CachedTokens)
                break;
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, cancellationToken);
        }
        var used = Environment.CpuUsage.TotalTime;
        for (var i = 0; i < IdleMoves && await silos.MoveAsync(at, conversation, cancellationToken) is null; i++)
            at = 1 - at;
        tally.IdleCopies.AddRange(silos.Copies.Take());
        tally.IdleCpu += Environment.CpuUsage.TotalTime - used;
        return at;
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
}
