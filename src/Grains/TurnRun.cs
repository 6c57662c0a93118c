using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Grains.Prompts;
using Hearth.Grains.Replies;
using Hearth.Grains.Telemetry;
using Hearth.Grains.Transcripts;
using Hearth.Text;

namespace Hearth.Grains;

/// <summary>Where a turn goes on that another silo began.</summary>
/// <param name="Shown">The events that its reader has seen.</param>
/// <param name="Held">What the choices had made beyond them.</param>
/// <param name="IsBegun">Whether the store has it as pending under this very activation.</param>
sealed record TurnOrigin(IReadOnlyList<TurnEvent> Shown, IReadOnlyList<HeldBack> Held, bool IsBegun)
{
    public static TurnOrigin New { get; } = new([], [], false);
}

/// <summary>One turn's way through its grain:
/// 1 record it as pending, 2 render and tokenize, 3 let the engine reply, 4 commit, 5 say so, 6 write the cache behind.
/// The reply is a function of the conversation, the turn and its seed: any silo makes the same one.</summary>
sealed class TurnRun(ConversationGrain grain, ChatTurn given, LiveTurn live, TurnOrigin origin)
{
    readonly ConversationServices _services = grain.Services;
    ChatTurn _turn = given;
    readonly long _joined = grain.Services.Time.GetTimestamp();
    bool _isAnew;
    ChoiceSet? _choices;
    int[] _prompt = [];
    bool _isReplay;

    public LiveTurn Live => live;

    public ChatTurn Turn => _turn;

    /// <summary>What the choices have made and not shown; while the turn is suspended.</summary>
    public IReadOnlyList<HeldBack> HeldBack => _choices?.HeldBack ?? [];

    public string Scope => ScopeOf(_turn.Tenant.Value, _turn.CacheSalt);

    public static string ScopeOf(string tenant, string? salt) => $"{tenant}/{salt}";

    /// <summary>The prompt and all tokens of choice 0; while the turn is suspended.</summary>
    public int[] AllTokens => [.. _prompt, .. _choices?.Tokens ?? []];

    /// <summary>The prompt and what is shown of choice 0. Thread-safe.</summary>
    public int[] KnownTokens =>
        [.. Volatile.Read(ref _prompt), .. live.Events.OfType<TurnDelta>().Where(d => d.Choice == 0).SelectMany(d => d.Tokens)];

    /// <summary>Lets the engine go on with what another silo began, before this one has the conversation: not a word of it
    /// leaves before <see cref="RunAsync"/>, which may never come.</summary>
    public void BeginAhead()
    {
        try
        {
            if (grain.Ready(_turn) is not { } prompt || !Fits(prompt.Tokens))
                return;
            _choices = ChoicesOf(_services.Models.Require(_turn.Model), prompt, before: null);
            _choices.BeginAhead(grain.Gate.Suspension, live.Cancellation);
        }
        catch (Exception e) when (Failures.Of(e) is not null)
        {
            _choices = null; // The turn will say so itself.
        }
    }

    /// <summary>Ends what was begun ahead; returns when the engine has let go of it.</summary>
    public async Task EndAheadAsync()
    {
        live.Cancel();
        if (_choices is not null)
            await _choices.EndAheadAsync();
    }

    public async Task RunAsync()
    {
        using var scope = TurnLog.Scope(_services.Logger, grain.Context.Id, _turn, grain.Context.Silo);
        using var span = GrainTraces.Turn(_turn, grain.Context, origin, _services.Time.GetElapsedTime(_joined));
        try
        {
            await RunToEndAsync();
        }
        finally
        {
            var events = live.Events;
            GrainTraces.End(span, events);
            if (!_isReplay)
                GrainMetrics.Ended(events.LastOrDefault(), events.OfType<TurnStarted>().FirstOrDefault()?.Cache);
        }
    }

    async Task RunToEndAsync()
    {
        var begun = origin.IsBegun;
        try
        {
            live.Cancellation.ThrowIfCancellationRequested();
            var model = _services.Models.Require(_turn.Model);
            if (!begun && !await BeginAsync())
                return;
            begun = true;
            foreach (var e in origin.Shown)
                live.Append(e);
            await ReplyAsync(model);
        }
        catch (Exception e) when (FailureOf(e) is { } failure)
        {
            if (e is StoreException)
                TurnLog.LogStoreFailed(_services.Logger, _turn.Id.Value, grain.Context.Id, e.Message);
            if (begun)
                await RecordEndAsync(failure);
            else if (e is StoreException { OutcomeUnknown: true })
                grain.Unended.Add(new UnendedTurn(_turn.Id, OperationStatus.Failed)); // it may be there, or come late
            live.Fail(failure);
        }
        finally
        {
            if (_choices is not null)
                await _choices.EndAheadAsync();
        }
    }

    TurnFailure? FailureOf(Exception e) => e is OperationCanceledException ? live.Cause : Failures.Of(e);

    /// <returns>False if it was done before: its events have been shown.</returns>
    async Task<bool> BeginAsync()
    {
        var position = new TurnPosition(grain.State.Turns, grain.Entries.Count);
        _turn = _turn with { BeganAt = position };
        using var step = GrainTraces.Step("begin");
        await grain.Context.HeldAsync();
        var begun = await _services.Store.BeginAsync(grain.Context.Id, grain.Context.Fence, _turn.Id.Value, _turn.BodyHash,
            JsonSerializer.SerializeToUtf8Bytes(_turn, ContractsJson.Default.ChatTurn), live.Cancellation);
        switch (begun.Outcome)
        {
            case BeginOutcome.Committed:
                _isReplay = true;
                GrainMetrics.Replayed();
                foreach (var e in TurnRecord.FromBytes(begun.Result ?? []))
                    live.Append(TurnRecord.Replayed(e));
                return false;
            case BeginOutcome.Conflict:
                throw ConversationGrain.Conflict(_turn.Id);
            case BeginOutcome.Fenced:
                grain.Context.Deactivate(DeactivationReason.Fenced);
                throw new TurnFailedException(Failures.Elsewhere);
            case BeginOutcome.TakenOver or BeginOutcome.Pending:
                // What was shown of it was made from the turn as it came first: a repeated request differs in its time.
                var stored = await _services.Store.FindOperationAsync(grain.Context.Id, _turn.Id.Value, live.Cancellation);
                _turn = (StoredTurn.Of(stored) ?? _turn) with { Trace = _turn.Trace };
                if (begun.Outcome == BeginOutcome.TakenOver)
                    GrainMetrics.TakenOver();
                if (_turn.BeganAt != position)
                    live.BeginAnew();
                _isAnew = origin.Shown.Count == 0 && _turn.Generation.Choices > 1;
                return true;
            default:
                return true;
        }
    }

    async Task ReplyAsync(ServedModel model)
    {
        var made = grain.TakeReady(_turn) ?? TurnPrompt.Of(grain, _turn, model, live.Cancellation);
        var (plan, segments, prompt) = made;
        Volatile.Write(ref _prompt, prompt);
        if (!Fits(prompt))
            throw new TurnFailedException(Failures.Overtaken);
        _services.Prefixes.Saw(PrefixKey.Of(_turn.Tenant, _turn.Model, _turn.CacheSalt,
            [.. grain.Entries.Take(plan.Keep).Select(e => e.Item).Concat(plan.Added).Take(PrefixKey.ItemsMax)]));

        await grain.Spiller.StopAsync(finish: false);
        var before = await grain.AskPreviousSiloAsync(model, live.Cancellation);
        _choices ??= ChoicesOf(model, made, before?.Spill);
        while (!await _choices.RunAsync(grain.Gate.Suspension, live.Cancellation))
            await grain.Gate.YieldAsync();
        await CommitAsync(model, plan, segments, prompt, _choices.Replies);
        grain.Spiller.Start(model, grain.Cache, grain.Tokens);
        _ = before?.Peer.DropAsync();
    }

    /// <summary>A beginning that was made from another history cannot go on as what it would have become.</summary>
    bool Fits(int[] prompt) => origin.Shown is not [TurnStarted shown, ..] || shown.PromptTokens == prompt.Length;

    /// <exception cref="TurnFailedException">This silo's model would have shown another text.</exception>
    ChoiceSet ChoicesOf(ServedModel model, TurnPrompt made, ICacheSpill? before)
    {
        var choices = new ChoiceSet(model, _turn.Generation, RequestFor(model, made.Tokens, before), live.Append,
            admitted => Started(made.Tokens, admitted, knownBefore: made.Plan.Keep > 0), _services.Time);
        choices.Prime(origin.Shown, origin.Held);
        return choices;
    }

    /// <summary>What the engine has never seen may be an old conversation all the same, whose cache is gone.</summary>
    TurnStarted Started(int[] prompt, TokenChunk admitted, bool knownBefore)
    {
        var started = CompletionRun.Started(
            _turn.Id, _turn.Conversation, grain.Context.Silo, _turn.Created, prompt.Length, admitted) with
        {
            Model = _turn.Model,
            Choices = _turn.Generation.Choices,
            Logprobs = _turn.Generation.Logprobs,
            IsAnew = _isAnew,
        };
        return knownBefore && started.Cache == CacheOrigin.New
            ? started with { Cache = CacheOrigin.Recomputed, CacheReason = "the cache was given up before it was stored" }
            : started;
    }

    TokenRequest RequestFor(ServedModel model, int[] prompt, ICacheSpill? before)
    {
        var request = ChoiceSet.Request(model, _turn.Generation, grain.Cache.Value, Scope, prompt);
        return request with
        {
            Sampling = request.Sampling with { Seed = request.Sampling.Seed ?? StoredTurn.SeedOf(_turn) },
            Spill = grain.Spiller.For(model, prompt),
            Peer = before,
        };
    }

    async Task CommitAsync(
        ServedModel model, HistoryPlan plan, IReadOnlyList<TextSegment> segments, int[] prompt, IReadOnlyList<Reply> replies)
    {
        using var step = GrainTraces.Step("commit");
        var reply = replies[0];
        var anchors = reply.Exact
            ? ExactPrompt.AnchorsAfter(
                model.Tokenizer, segments, prompt, reply.Text, [.. reply.Tokens.Take(reply.ShownTokens)], reply.End)
            : [];
        var item = MessageItem.Of(Role.Assistant, reply.Text) with
        {
            Status = reply.Reason == FinishReason.Length ? ItemStatus.Incomplete : ItemStatus.Completed,
        };
        var events = live.Events;
        var cached = events.OfType<TurnStarted>().FirstOrDefault()?.CachedTokens ?? 0;
        var finished = new TurnFinished
        {
            Usage = new Usage(prompt.Length, replies.Sum(r => r.Tokens.Count), cached),
            Sequence = events.Count,
        };
        await grain.CommitAsync(_turn, plan.Keep, [.. plan.Added.Select(i => Entry.Of(i)), Entry.Of(item, anchors)],
            [.. prompt, .. reply.Kept],
                new ConversationState(model.Card.Name, model.Card.Fingerprint, grain.State.Turns + 1, _turn.CacheSalt),
            TurnRecord.ToBytes([.. events, finished]));
        live.Append(finished);
    }

    /// <summary>A record that stays pending is run again when the turn is sent again, as a failed one is; else it is ended
    /// later.</summary>
    async Task RecordEndAsync(TurnFailure failure)
    {
        if (failure.Error is TurnError.OutcomeUnknown or TurnError.Fenced or TurnError.Moved || !grain.Context.Lease.IsHeld)
            return;
        var status = failure.Error == TurnError.Cancelled ? OperationStatus.Cancelled : OperationStatus.Failed;
        try
        {
            await _services.Store.EndAsync(
                grain.Context.Id, grain.Context.Fence, _turn.Id.Value, status, CancellationToken.None);
        }
        catch (StoreException e)
        {
            TurnLog.LogEndFailed(_services.Logger, grain.Context.Id, _turn.Id.Value, e);
            grain.Unended.Add(new UnendedTurn(_turn.Id, status));
        }
    }
}
