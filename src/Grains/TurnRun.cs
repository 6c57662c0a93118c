using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Grains.Prompts;
using Hearth.Grains.Replies;
using Hearth.Grains.Transcripts;
using Hearth.Text;

namespace Hearth.Grains;

/// <summary>One turn's way through its grain:
/// 1 record it as pending, 2 render and tokenize, 3 let the engine reply, 4 commit, 5 say so, 6 write the cache behind.</summary>
sealed class TurnRun(ConversationGrain grain, ChatTurn turn, LiveTurn live)
{
    readonly ConversationServices _services = grain.Services;

    public async Task RunAsync()
    {
        var begun = false;
        try
        {
            live.Cancellation.ThrowIfCancellationRequested();
            var model = _services.Models.Require(turn.Model);
            if (!await BeginAsync())
                return;
            begun = true;
            await ReplyAsync(model);
        }
        catch (Exception e) when (Failures.Of(e) is { } failure)
        {
            if (e is StoreException)
                TurnLog.LogStoreFailed(_services.Logger, turn.Id.Value, grain.Context.Id, e.Message);
            if (begun)
                await RecordEndAsync(failure);
            live.Fail(failure);
        }
    }

    /// <returns>False if it was done before: its events have been shown.</returns>
    async Task<bool> BeginAsync()
    {
        var begun = await _services.Store.BeginAsync(
            grain.Context.Id, grain.Context.Fence, turn.Id.Value, turn.BodyHash, default, live.Cancellation);
        switch (begun.Outcome)
        {
            case BeginOutcome.Committed:
                foreach (var e in TurnRecord.FromBytes(begun.Result ?? []))
                    live.Append(e is TurnFinished finished ? finished with { Replayed = true } : e);
                return false;
            case BeginOutcome.Conflict:
                throw ConversationGrain.Conflict(turn.Id);
            case BeginOutcome.Fenced:
                grain.Context.Deactivate(DeactivationReason.Fenced);
                throw new TurnFailedException(new TurnFailure(
                    TurnError.Fenced, "The conversation has moved to another activation.", null, Limits.RetryAfter));
            default:
                return true;
        }
    }

    async Task ReplyAsync(ServedModel model)
    {
        var plan = HistoryPlan.For(turn, grain.Entries.ConvertAll(e => e.Item));
        var kept = grain.Entries[..plan.Keep];
        var segments = PromptRenderer.Render(model, [.. kept.Select(e => e.Item), .. plan.Added],
            turn.TemplateArguments, _services.Time.GetUtcNow(), live.Cancellation);
        var held = grain.State.Fingerprint == model.Card.Fingerprint ? grain.Tokens : [];
        var prompt = ExactPrompt.Build(model.Tokenizer, segments, held, [.. kept.SelectMany(e => e.Anchors)]);

        await grain.Spiller.StopAsync(finish: false);
        var replies = await ChoiceSet.RunAsync(model, turn.Generation, RequestFor(model, prompt), live.Append,
            admitted => Started(prompt, admitted, knownBefore: plan.Keep > 0),
            live.Cancellation);
        await CommitAsync(model, plan, segments, prompt, replies);
        grain.Spiller.Start(model, grain.Cache, grain.Tokens);
    }

    /// <summary>What the engine has never seen may be an old conversation all the same, whose cache is gone.</summary>
    TurnStarted Started(int[] prompt, TokenChunk admitted, bool knownBefore)
    {
        var started = CompletionRun.Started(
            turn.Id, turn.Conversation, grain.Context.Silo, _services.Time.GetUtcNow(), prompt.Length, admitted) with
        {
            Model = turn.Model,
            Choices = turn.Generation.Choices,
            Logprobs = turn.Generation.Logprobs,
        };
        return knownBefore && started.Cache == CacheOrigin.New
            ? started with { Cache = CacheOrigin.Recomputed, CacheReason = "the cache was given up before it was stored" }
            : started;
    }

    TokenRequest RequestFor(ServedModel model, int[] prompt)
    {
        var scope = $"{turn.Tenant}/{turn.CacheSalt}";
        return ChoiceSet.Request(model, turn.Generation, grain.Cache.Value, scope, prompt) with
        {
            Spill = grain.Spiller.For(model, prompt),
        };
    }

    async Task CommitAsync(
        ServedModel model, HistoryPlan plan, IReadOnlyList<TextSegment> segments, int[] prompt, Reply[] replies)
    {
        var reply = replies[0];
        var anchors = reply.Exact
            ? ExactPrompt.AnchorsAfter(
                model.Tokenizer, segments, prompt, reply.Text, [.. reply.Tokens.Take(reply.ShownTokens)], reply.End)
            : [];
        var item = MessageItem.Of(Role.Assistant, reply.Text) with
        {
            Status = reply.Reason == FinishReason.Length ? ItemStatus.Incomplete : ItemStatus.Completed,
        };
        var finished = new TurnFinished
        {
            Usage = new Usage(prompt.Length, replies.Sum(r => r.Tokens.Count), reply.CachedTokens),
            Sequence = live.Events.Count,
        };
        await grain.CommitAsync(turn, plan.Keep, [.. plan.Added.Select(i => Entry.Of(i)), Entry.Of(item, anchors)],
            [.. prompt, .. reply.Kept], new ConversationState(model.Card.Name, model.Card.Fingerprint, grain.State.Turns + 1),
            TurnRecord.ToBytes([.. live.Events, finished]));
        live.Append(finished);
    }

    /// <summary>Best effort: a record that stays pending is run again when the turn is sent again, as a failed one is.</summary>
    async Task RecordEndAsync(TurnFailure failure)
    {
        if (failure.Error is TurnError.OutcomeUnknown or TurnError.Fenced)
            return;
        try
        {
            var status = failure.Error == TurnError.Cancelled ? OperationStatus.Cancelled : OperationStatus.Failed;
            await _services.Store.EndAsync(
                grain.Context.Id, grain.Context.Fence, turn.Id.Value, status, CancellationToken.None);
        }
        catch (StoreException e)
        {
            TurnLog.LogEndFailed(_services.Logger, grain.Context.Id, turn.Id.Value, e);
        }
    }
}
