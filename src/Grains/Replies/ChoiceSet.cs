using Hearth.Contracts;

namespace Hearth.Grains.Replies;

/// <summary>Makes all choices of a turn: the first one, and once it has begun the others, which share its cache.</summary>
static class ChoiceSet
{
    /// <param name="first">The request for choice 0. The others take its prompt, with ids of their own, and keep nothing.</param>
    /// <param name="show">Gets the events of all choices, perhaps from several threads.</param>
    /// <param name="start">Makes the turn's first event.</param>
    /// <returns>The replies, choice 0 first.</returns>
    public static async Task<Reply[]> RunAsync(ServedModel model, GenerationOptions options, TokenRequest first,
        Action<TurnEvent> show, Func<TokenChunk, TurnStarted> start, CancellationToken cancellationToken)
    {
        CheckLength(model.Card, first.Prompt.Length);
        using var siblings = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var run = new ReplyRun(model, options, 0, show);
        List<Task<Reply>> replies = [RunOneAsync(run, first, chunk => show(start(chunk)), siblings)];
        if (options.Choices > 1)
            await run.FirstToken;
        if (options.Choices > 1 && !siblings.IsCancellationRequested)
        {
            replies.AddRange(Enumerable.Range(1, options.Choices - 1).Select(i => RunOneAsync(
                new ReplyRun(model, options, i, show), Sibling(first, i), null, siblings)));
        }
        try
        {
            return await Task.WhenAll(replies);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // One failed and the others were cancelled for it: what it said is the turn's failure, whichever came first.
            throw replies.Where(r => r.IsFaulted).Select(r => r.Exception!.InnerException!).FirstOrDefault()
                ?? new TurnFailedException(Failures.Cancelled);
        }
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
        };

    static TokenRequest Sibling(TokenRequest first, int choice) => first with
    {
        Cache = new CacheId($"{first.Cache}#{choice}"),
        Sampling = first.Sampling with { Seed = first.Sampling.Seed + choice },
        Spill = null,
        Keep = false,
    };

    static async Task<Reply> RunOneAsync(
        ReplyRun run, TokenRequest request, Action<TokenChunk>? onAdmitted, CancellationTokenSource siblings)
    {
        try
        {
            return await run.RunAsync(request, onAdmitted, siblings.Token);
        }
        catch
        {
            await siblings.CancelAsync();
            throw;
        }
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
