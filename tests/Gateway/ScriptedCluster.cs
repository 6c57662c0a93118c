using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Hearth.Contracts;

namespace Hearth.Gateway.Tests;

/// <summary>A cluster that plays what a test wrote down, and tells what it was asked and when it was left.</summary>
sealed class ScriptedCluster : ICluster
{
    public const string Model = "demo";

    public static ModelCard Card { get; } = new()
    {
        Name = Model,
        Directory = "none",
        Family = "llama",
        VocabularySize = 1000,
        ContextLength = 2048,
        Parameters = 1,
        EosTokens = [0],
        Fingerprint = "f",
        Created = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000),
    };

    readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Channel<bool> _entered = Channel.CreateBounded<bool>(1024);

    public Func<ChatTurn, CancellationToken, IAsyncEnumerable<TurnEvent>> Play { get; set; } =
        (_, _) => Events(Reply("Hello", " world"));
    public Func<CompletionTurn, IEnumerable<TurnEvent>> PlayCompletion { get; set; } = _ => Reply("Hello");
    public ConcurrentQueue<ChatTurn> Turns { get; } = new();
    public ConcurrentQueue<CompletionTurn> Completions { get; } = new();
    public ConcurrentDictionary<string, ConversationId> Histories { get; } = new();
    public ConcurrentDictionary<(TenantId, ConversationId), ConversationInfo> Conversations { get; } = new();

    /// <summary>Completes when a turn was left before its end.</summary>
    public Task Left => _left.Task;

    public ValueTask<bool> EnteredAsync(CancellationToken cancellationToken) => _entered.Reader.ReadAsync(cancellationToken);

    public IReadOnlyList<ModelCard> Models { get; set; } = [Card];
    public ClusterStatus Status { get; set; } =
        new(true, true, "serving", 1, new EngineLoad { BlocksTotal = 64, BlocksUsed = 3 });

    public static IEnumerable<TurnEvent> Reply(params string[] texts) => Reply(1, texts);

    public static IEnumerable<TurnEvent> Reply(int choices, params string[] texts)
    {
        yield return Started();
        foreach (var text in texts)
        {
            for (var i = 0; i < choices; i++)
            {
                yield return new TurnDelta { Choice = i, Text = text };
            }
        }
        for (var i = 0; i < choices; i++)
        {
            yield return new ChoiceFinished { Choice = i, Reason = i == 0 ? FinishReason.Stop : FinishReason.Length };
        }
        yield return new TurnFinished { Usage = new Usage(10, texts.Length, 4) };
    }

    public static TurnStarted Started(string conversation = "conv_1") => new()
    {
        Created = DateTimeOffset.FromUnixTimeSeconds(1767225600),
        Turn = new TurnId("turn_1"),
        Conversation = new ConversationId(conversation),
        Silo = "silo-a",
        PromptTokens = 10,
        CachedTokens = 4,
        Cache = CacheOrigin.Hit,
        CacheReason = "edited\r\nhistory",
    };

    public static TurnFailed Failed(TurnError error, string message = "no") =>
        new() { Failure = new TurnFailure(error, message) };

    public static async IAsyncEnumerable<TurnEvent> Events(IEnumerable<TurnEvent> events)
    {
        foreach (var happened in events)
        {
            await Task.Yield();
            yield return happened;
        }
    }

    /// <summary>The first events, then silence until the turn is cancelled.</summary>
    public static async IAsyncEnumerable<TurnEvent> Hanging(IEnumerable<TurnEvent> events,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var happened in events)
        {
            yield return happened;
        }
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
    }

    public async IAsyncEnumerable<TurnEvent> RunTurnAsync(ChatTurn turn,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Turns.Enqueue(turn);
        _entered.Writer.TryWrite(true);
        var ended = false;
        try
        {
            await foreach (var happened in Play(turn, cancellationToken).WithCancellation(cancellationToken))
            {
                ended = happened is TurnFinished or TurnFailed;
                yield return happened;
            }
        }
        finally
        {
            if (!ended)
            {
                _left.TrySetResult();
            }
        }
    }

    public IAsyncEnumerable<TurnEvent> RunCompletionAsync(CompletionTurn turn, CancellationToken cancellationToken)
    {
        Completions.Enqueue(turn);
        return Events(PlayCompletion(turn));
    }

    public ValueTask<ConversationId?> FindByHistoryAsync(TenantId tenant, string historyHash,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult<ConversationId?>(Histories.TryGetValue(historyHash, out var id) ? id : null);

    public ValueTask<int[]> TokenizeAsync(string model, string text, bool addSpecialTokens,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult<int[]>([.. addSpecialTokens ? [1] : Array.Empty<int>(), .. text.Select(c => (int)c)]);

    public ValueTask<int[]> TokenizeChatAsync(string model, IReadOnlyList<ConversationItem> items,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult<int[]>([7, items.Count]);

    public ValueTask<string> DetokenizeAsync(string model, IReadOnlyList<int> tokens, CancellationToken cancellationToken) =>
        ValueTask.FromResult(string.Concat(tokens.Select(t => (char)t)));

    public ValueTask<IReadOnlyList<ConversationInfo>> ListConversationsAsync(TenantId tenant, int limit,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<ConversationInfo>>(
            [.. Conversations.Where(c => c.Key.Item1 == tenant).Select(c => c.Value).Take(limit)]);

    public ValueTask<ConversationInfo?> DescribeConversationAsync(TenantId tenant, ConversationId id,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult(Conversations.GetValueOrDefault((tenant, id)));

    public ValueTask<ConversationInfo?> SpillConversationAsync(TenantId tenant, ConversationId id,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult(Conversations.GetValueOrDefault((tenant, id)) is { } info ? info with { Tier = "disk" } : null);

    /// <summary>Turns that can be attached to and cancelled, with their events from the first one on.</summary>
    public ConcurrentDictionary<(ConversationId, TurnId), IReadOnlyList<TurnEvent>> Live { get; } = new();

    public IAsyncEnumerable<TurnEvent> AttachTurnAsync(TenantId tenant, ConversationId conversation, TurnId turn, int fromEvent,
        CancellationToken cancellationToken) => Events(Live.TryGetValue((conversation, turn), out var events)
            ? Numbered(events).Skip(fromEvent) : [Failed(TurnError.ConversationNotFound)]);

    public ValueTask<bool> CancelTurnAsync(TenantId tenant, ConversationId conversation, TurnId turn,
        CancellationToken cancellationToken) => ValueTask.FromResult(Live.TryRemove((conversation, turn), out _));

    public static IEnumerable<TurnEvent> Numbered(IEnumerable<TurnEvent> events) => events.Select((e, i) => e with { Sequence = i });

    public ValueTask<ConversationInfo?> MigrateConversationAsync(TenantId tenant, ConversationId id, string? silo,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult(Conversations.GetValueOrDefault((tenant, id)) is { } info && silo is not null
            ? info with { Silo = silo } : null);

    public ValueTask<IReadOnlyList<SiloInfo>> ListSilosAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<SiloInfo>>([.. Silos]);

    public List<SiloInfo> Silos { get; } = [];

    public ValueTask<bool> DrainSiloAsync(string silo, CancellationToken cancellationToken)
    {
        var found = Silos.FindIndex(s => s.Id == silo || s.Id.StartsWith(silo + "/", StringComparison.Ordinal));
        if (found >= 0)
        {
            Silos[found] = Silos[found] with { Status = "draining" };
        }
        return ValueTask.FromResult(found >= 0);
    }

    public ValueTask<bool> DeleteConversationAsync(TenantId tenant, ConversationId id, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Conversations.TryRemove((tenant, id), out _));
}
