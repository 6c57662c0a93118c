using Hearth.Contracts;

namespace Hearth.Cluster.Bench;

enum Moment
{
    Idle,
    Queued,
    Prefill,
    Decode,
    ToAndFro,
}

/// <summary>A conversation of a few turns, once at one silo and once with moves at moments that the seed draws; both shall say
/// the same. The tally is the talks' own: they may run side by side.</summary>
/// <param name="history">What its first message ends with.</param>
sealed class MovedTalk(TwoSilos silos, MoveTally tally, string history, int seed)
{
    /// <summary>The longer it takes to begin a talk, the longer it is.</summary>
    int Turns => history.Length == 0 ? 4 : 20;

    readonly Random _random = new(seed);
    readonly List<TimeSpan> _waits = [];
    int _at = seed % 2;

    public ConversationId Conversation { get; } = new($"moved-{seed}");

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var alone = new ConversationId($"alone-{seed}");
        var turns = Enumerable.Range(0, Turns).Select(i => Draw(i == 0 ? history : "")).ToArray();
        var expected = new List<string>();
        foreach (var turn in turns)
        {
            var follower = new Follower(silos, For(turn, alone), seed % 2);
            await follower.RunAsync(cancellationToken);
            expected.Add(follower.Essence);
            _waits.Add(follower.Waited);
            lock (tally)
                tally.Add(follower, moved: false);
        }
        await silos[seed % 2].DropAsync(alone);
        for (var i = 0; i < Turns; i++)
        {
            var moment = (Moment)_random.Next(5);
            if (moment == Moment.Queued && i + 1 < Turns)
            {
                await PlayAsync(moment, i, [turns[i], turns[i + 1]], [expected[i], expected[i + 1]], cancellationToken);
                i++;
            }
            else
            {
                await PlayAsync(moment == Moment.Queued ? Moment.Decode : moment, i, [turns[i]], [expected[i]], cancellationToken);
            }
        }
        if (silos[1 - _at].BlocksOf(Conversation) is > 0 and var left)
            Differ($"{left} blocks were left behind");
    }

    async Task PlayAsync(
        Moment moment, int index, ChatTurn[] turns, string[] expected, CancellationToken cancellationToken)
    {
        if (moment == Moment.Idle)
            await MoveAsync(moment, cancellationToken);
        var followers = turns.Select(t => new Follower(silos, For(t, Conversation), _at)).ToArray();
        var reading = new List<Task>();
        foreach (var follower in followers)
        {
            reading.Add(follower.RunAsync(cancellationToken));
            if (followers.Length > 1)
                await follower.UntilAsync(follower == followers[0] ? 1 : 0);
        }
        var first = followers[0];
        var most = turns[0].Generation.MaxTokens!.Value;
        if (moment == Moment.Prefill)
        {
            await Task.Delay(_waits[index] * _random.NextDouble(), TimeProvider.System, cancellationToken);
            await MoveAsync(moment, cancellationToken);
        }
        var tokens = 0;
        var moves = moment switch { Moment.ToAndFro => _random.Next(2, 7), Moment.Idle or Moment.Prefill => 0, _ => 1 };
        for (var left = moves; left > 0; left--)
        {
            tokens += _random.Next(1, Math.Max(2, (most - tokens) / left));
            await first.UntilAsync(tokens);
            if (reading[0].IsCompleted)
                break;
            await MoveAsync(moment, cancellationToken);
        }
        await Task.WhenAll(reading);
        for (var i = 0; i < followers.Length; i++)
        {
            if (followers[i].Essence != expected[i])
                Differ($"{moment}: {followers[i].Essence}\ninstead of\n{expected[i]}");
            lock (tally)
            {
                tally.Turns++;
                tally.Add(followers[i], moved: true);
            }
        }
    }

    async Task MoveAsync(Moment moment, CancellationToken cancellationToken)
    {
        var reason = await silos.MoveAsync(_at, Conversation, cancellationToken);
        lock (tally)
        {
            if (reason is not null)
            {
                tally.Refused(reason);
                return;
            }
            _at = 1 - _at;
            tally.Moves++;
            tally.Moments[moment] = tally.Moments.GetValueOrDefault(moment) + 1;
        }
    }

    void Differ(string what)
    {
        lock (tally)
            tally.Differences.Add($"talk {seed}: {what}");
    }

    ChatTurn Draw(string text) => new()
    {
        Id = new TurnId($"t{seed}-{_random.Next()}"),
        Tenant = TenantId.Local,
        Conversation = Conversation,
        Model = silos.Model,
        History = HistoryMode.Append,
        Items = [MessageItem.Of(Role.User, Words.Of(_random, _random.Next(5, 100)) + text)],
        BodyHash = $"{seed}",
        Created = DateTimeOffset.UnixEpoch,
        Generation = new GenerationOptions
        {
            MaxTokens = _random.Next(20, 100),
            IgnoreEos = true,
            Logprobs = true,
            Sampling = new SamplingOptions
            {
                Temperature = _random.Next(3) * 0.6f,
                TopP = _random.Next(2) == 0 ? 1 : 0.9f,
                FrequencyPenalty = _random.Next(2) * 0.4f,
                RepetitionPenalty = _random.Next(2) == 0 ? 1 : 1.1f,
                Seed = _random.Next(),
                TopLogprobs = 2,
            },
        },
    };

    /// <summary>Nothing is shared between the two: what one computes must not serve the other.</summary>
    static ChatTurn For(ChatTurn turn, ConversationId conversation) =>
        turn with { Conversation = conversation, CacheSalt = conversation.Value };
}

static class Words
{
    static readonly string[] Known = ["the", "house", "river", "a", "light", "walks", "under", "seven", "stones", "and", "sings"];

    public static string Of(Random random, int count) =>
        string.Join(' ', Enumerable.Range(0, count).Select(_ => Known[random.Next(Known.Length)]));

    /// <summary>A text that makes a prompt of about so many tokens, and no more.</summary>
    public static async Task<string> OfTokensAsync(TwoSilos silos, int tokens)
    {
        var text = Of(new Random(1), tokens * 2);
        while (true)
        {
            var made = (await silos[0].Cluster.TokenizeChatAsync(silos.Model, [MessageItem.Of(Role.User, text)], default)).Length;
            if (made <= tokens)
                return text;
            text = text[..(int)Math.Min(text.Length - 1, (long)text.Length * tokens / made)];
        }
    }
}
