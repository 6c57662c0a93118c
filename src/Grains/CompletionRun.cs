using Hearth.Contracts;
using Hearth.Grains.Replies;
using Hearth.Grains.Telemetry;
using Microsoft.Extensions.Logging;

namespace Hearth.Grains;

/// <summary>A completion: the same replies as a turn's, without a conversation around them.</summary>
static class CompletionRun
{
    /// <summary>Shows all events to the turn's readers, whatever happens.</summary>
    public static async Task RunAsync(
        ModelCatalog models, string silo, CompletionTurn turn, LiveTurn live, TimeProvider time, ILogger logger)
    {
        using var span = GrainTraces.Completion(turn, silo);
        try
        {
            var model = models.Require(turn.Model);
            int[] prompt = turn.PromptTokens is { } tokens
                ? [.. tokens]
                : model.Tokenizer.Encode(turn.Prompt ?? "", addSpecialTokens: true);
            if (Array.FindIndex(prompt, t => (uint)t >= (uint)model.Card.VocabularySize) is var bad and >= 0)
            {
                throw new TurnFailedException(new TurnFailure(TurnError.InvalidRequest,
                    $"{prompt[bad]} is no token of this model, which has {model.Card.VocabularySize}.", "prompt"));
            }
            var request = ChoiceSet.Request(model, turn.Generation,
                $"{turn.Tenant}/#completion#{Guid.NewGuid():N}", $"{turn.Tenant}/{turn.CacheSalt}", prompt);
            var cached = 0;
            var choices = new ChoiceSet(model, turn.Generation, request with { Keep = false }, live.Append, admitted =>
            {
                cached = admitted.CachedTokens;
                return Started(turn.Id, new ConversationId(""), silo, time.GetUtcNow(), prompt.Length, admitted);
            }, time);
            await choices.RunAsync(CancellationToken.None, live.Cancellation);
            live.Append(new TurnFinished
            {
                Usage = new Usage(prompt.Length, choices.Replies.Sum(r => r.Tokens.Count), cached),
            });
        }
        catch (OperationCanceledException)
        {
            live.Fail(live.Cause);
        }
        catch (Exception e) when (Failures.Of(e) is { } failure)
        {
            live.Fail(failure);
        }
        catch (Exception e)
        {
            TurnLog.LogCompletionBroke(logger, turn.Id.Value, e);
            live.Fail(Failures.Broke);
        }
        GrainTraces.End(span, live.Events);
    }

    /// <summary>A turn's first event, as the engine's first chunk gives it.</summary>
    public static TurnStarted Started(
        TurnId turn, ConversationId conversation, string silo, DateTimeOffset now, int promptTokens, TokenChunk admitted) => new()
        {
            Created = now,
            Turn = turn,
            Conversation = conversation,
            Silo = silo,
            PromptTokens = promptTokens,
            CachedTokens = admitted.CachedTokens,
            Cache = admitted.Cache,
            CacheReason = admitted.CacheReason,
        };
}
