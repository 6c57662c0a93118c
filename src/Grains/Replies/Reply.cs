using Hearth.Contracts;

namespace Hearth.Grains.Replies;

/// <summary>A finished choice.</summary>
/// <param name="Tokens">All tokens that the engine gave.</param>
/// <param name="ShownTokens">How many of them, from the first, lie wholly within the text.</param>
/// <param name="Exact">Whether those are exactly the text.</param>
/// <param name="End">The token that ended it, after the shown ones; null if none did.</param>
sealed record Reply(
    string Text, IReadOnlyList<int> Tokens, int ShownTokens, bool Exact, int? End, FinishReason Reason, int CachedTokens)
{
    /// <summary>What stays of the tokens in the conversation.</summary>
    public IEnumerable<int> Kept => End is { } end ? Tokens.Take(ShownTokens).Append(end) : Tokens.Take(ShownTokens);
}

/// <summary>Makes one choice: submits it, shows its text as it comes, and stops the engine at a stop string.</summary>
sealed class ReplyRun(ServedModel model, GenerationOptions options, int choice, Action<TurnEvent> show)
{
    readonly ReplyDecoder _decoder = new(model.Tokenizer, options, choice);
    readonly TaskCompletionSource _firstToken = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the first token, or at the reply's end without one.</summary>
    public Task FirstToken => _firstToken.Task;

    /// <param name="onAdmitted">Told of the cached part of the prompt, before any text.</param>
    /// <exception cref="TurnFailedException">The engine refused or failed.</exception>
    /// <exception cref="OperationCanceledException">The turn was cancelled; the engine has stopped.</exception>
    public async Task<Reply> RunAsync(TokenRequest request, Action<TokenChunk>? onAdmitted, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            return await StreamAsync(request with { Cancellation = stop.Token }, onAdmitted, stop, cancellationToken);
        }
        finally
        {
            _firstToken.TrySetResult();
        }
    }

    async Task<Reply> StreamAsync(
        TokenRequest request, Action<TokenChunk>? onAdmitted, CancellationTokenSource stop, CancellationToken cancellationToken)
    {
        var refusal = model.Engine.TrySubmit(request, out var chunks);
        if (refusal != TurnError.None || chunks is null)
            throw new TurnFailedException(new TurnFailure(refusal, Words(refusal), null, Limits.RetryAfter));
        var (cached, end) = (0, (int?)null);
        // Read to the end whatever happens: only then has the engine let go of the sequence.
        await foreach (var chunk in chunks.ReadAllAsync(CancellationToken.None))
        {
            switch (chunk.Kind)
            {
                case TokenChunkKind.Admitted:
                    cached = chunk.CachedTokens;
                    onAdmitted?.Invoke(chunk);
                    break;
                case TokenChunkKind.Token when _decoder.Stopped || cancellationToken.IsCancellationRequested:
                    break;
                case TokenChunkKind.Token when request.StopTokens.Contains(chunk.Token):
                    end = chunk.Token;
                    _decoder.PushEnd(chunk.Token);
                    break;
                case TokenChunkKind.Token:
                    Show(_decoder.Push(chunk));
                    _firstToken.TrySetResult();
                    if (_decoder.Stopped)
                        await stop.CancelAsync();
                    break;
                case TokenChunkKind.Finished:
                    cancellationToken.ThrowIfCancellationRequested();
                    return Finish(chunk.Reason, end, cached);
                case TokenChunkKind.Failed:
                    cancellationToken.ThrowIfCancellationRequested();
                    if (_decoder.Stopped)
                        return Finish(FinishReason.Stop, null, cached);
                    throw new TurnFailedException(chunk.Failure ?? new TurnFailure(TurnError.Internal, "The engine failed."));
            }
        }
        cancellationToken.ThrowIfCancellationRequested();
        throw new TurnFailedException(TurnError.Internal, "The engine ended the reply without saying how.");
    }

    Reply Finish(FinishReason reason, int? end, int cached)
    {
        Show(_decoder.Flush());
        reason = _decoder.Stopped ? FinishReason.Stop : reason;
        show(new ChoiceFinished { Choice = choice, Reason = reason });
        var (count, exact) = _decoder.ShownTokens();
        return new Reply(_decoder.Text, _decoder.Tokens, count, exact, _decoder.Stopped ? null : end, reason, cached);
    }

    void Show(TurnDelta? delta)
    {
        if (delta is not null)
            show(delta);
    }

    static string Words(TurnError refusal) => refusal switch
    {
        TurnError.Overloaded => "The silo has no room for another turn now.",
        TurnError.ContextLengthExceeded => "The prompt is longer than the model's context.",
        TurnError.Draining => "The silo is being drained.",
        _ => "The engine refused the turn.",
    };
}
