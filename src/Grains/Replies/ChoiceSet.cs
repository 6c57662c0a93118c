using Hearth.Contracts;

namespace Hearth.Grains.Replies;

/// <summary>Makes all choices of a turn: the first one, and once it has begun the others, which share its cache.</summary>
sealed class ChoiceSet
{
    readonly ReplyRun[] _runs;
    readonly Func<TokenChunk, TurnStarted> _start;
    readonly Action<TurnEvent> _show;
    bool _started;

    /// <param name="first">The request for choice 0. The others take its prompt, with ids of their own, and keep nothing.</param>
    /// <param name="show">Gets the events of all choices, perhaps from several threads.</param>
    /// <param name="start">Makes the turn's first event.</param>
    public ChoiceSet(ServedModel model, GenerationOptions options, TokenRequest first, Action<TurnEvent> show,
        Func<TokenChunk, TurnStarted> start, TimeProvider time)
    {
        CheckLength(model.Card, first.Prompt.Length);
        (_show, _start) = (show, start);
        _runs = [.. Enumerable.Range(0, options.Choices).Select(i =>
            new ReplyRun(model, options, i, i == 0 ? first : Sibling(first, i), show, time))];
    }

    /// <summary>The finished replies, choice 0 first.</summary>
    public IReadOnlyList<Reply> Replies => [.. _runs.Select(r => r.Reply!)];

    /// <summary>The tokens of choice 0.</summary>
    public IReadOnlyList<int> Tokens => _runs[0].Tokens;

    /// <summary>What the choices have made and not shown; for a suspended set.</summary>
    public IReadOnlyList<HeldBack> HeldBack => [.. _runs.Where(r => r.Reply is null).Select(r => r.HeldBack)];

    /// <summary>Goes on where another silo was.</summary>
    /// <exception cref="TurnFailedException">This silo's model would have shown another text.</exception>
    public void Prime(IReadOnlyList<TurnEvent> shown, IReadOnlyList<HeldBack> held)
    {
        _started = shown.Count > 0;
        for (var i = 0; i < _runs.Length; i++)
            _runs[i].Prime(shown, held.FirstOrDefault(h => h.Choice == i));
    }

    /// <summary>Lets the engine go on with the first choice before anybody may see it: see <see cref="ReplyRun"/>.</summary>
    public void BeginAhead(CancellationToken suspension, CancellationToken cancellationToken) =>
        _runs[0].BeginAhead(suspension, cancellationToken);

    /// <summary>Returns when the engine has let go of what was begun and not run.</summary>
    public Task EndAheadAsync() => _runs[0].EndAheadAsync();

    /// <returns>False if the set was suspended: it may be run again.</returns>
    /// <exception cref="TurnFailedException">The engine refused or failed.</exception>
    /// <exception cref="OperationCanceledException">The turn was cancelled.</exception>
    public async Task<bool> RunAsync(CancellationToken suspension, CancellationToken cancellationToken)
    {
        using var siblings = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        List<Task> runs = [];
        if (_runs[0].Reply is null)
        {
            runs.Add(RunOneAsync(_runs[0], siblings, suspension));
            await _runs[0].Begun;
        }
        if (!siblings.IsCancellationRequested && (_runs[0].Reply is not null || _runs[0].Tokens.Count > 0))
            runs.AddRange(_runs.Skip(1).Where(r => r.Reply is null).Select(r => RunOneAsync(r, siblings, suspension)));
        try
        {
            await Task.WhenAll(runs);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // One failed and the others were cancelled for it: what it said is the turn's failure, whichever came first.
            throw runs.Where(r => r.IsFaulted).Select(r => r.Exception!.InnerException!).FirstOrDefault()
                ?? new TurnFailedException(Failures.Cancelled);
        }
        return _runs.All(r => r.Reply is not null);
    }

    public static TokenRequest Request(
        ServedModel model, GenerationOptions options, string cache, string scope, int[] prompt) => new()
        {
            Cache = new CacheId(cache),
            Scope = scope,
            Prompt = prompt,
            Sampling = options.Sampling,
            MaxTokens = Math.Clamp(model.Card.ContextLength - prompt.Length, 1, options.MaxTokens ?? int.MaxValue),
            StopTokens = options.IgnoreEos ? [] : model.Card.EosTokens,
            Logprobs = options.Logprobs,
            Kind = options.Cache,
        };

    /// <summary>The cache of a further choice, which lives no longer than the turn.</summary>
    public static CacheId SiblingCache(CacheId first, int choice) => new($"{first}#{choice}");

    static TokenRequest Sibling(TokenRequest first, int choice) => first with
    {
        Cache = SiblingCache(first.Cache, choice),
        Sampling = first.Sampling with { Seed = first.Sampling.Seed + choice },
        Spill = null,
        Peer = null,
        Keep = false,
    };

    async Task RunOneAsync(ReplyRun run, CancellationTokenSource siblings, CancellationToken suspension)
    {
        try
        {
            await run.RunAsync(run == _runs[0] ? Start : null, suspension, siblings.Token);
        }
        catch
        {
            siblings.Cancel();
            throw;
        }
    }

    void Start(TokenChunk admitted)
    {
        if (_started)
            return;
        _started = true;
        _show(_start(admitted));
    }

    static void CheckLength(ModelCard card, int prompt)
    {
        if (prompt == 0)
            throw new TurnFailedException(TurnError.InvalidRequest, "The prompt is empty.");
        if (prompt >= card.ContextLength)
        {
            throw new TurnFailedException(new TurnFailure(TurnError.ContextLengthExceeded,
                $"This model's context is {card.ContextLength} tokens, of which the prompt takes {prompt}.", "messages"));
        }
    }
}
