using System.Threading.Channels;
using Hearth.Contracts;

namespace Hearth.Grains.Replies;

/// <summary>A finished choice.</summary>
/// <param name="Tokens">All tokens that the engine gave.</param>
/// <param name="ShownTokens">How many of them, from the first, lie wholly within the text.</param>
/// <param name="Exact">Whether those are exactly the text.</param>
/// <param name="End">The token that ended it, after the shown ones; null if none did.</param>
sealed record Reply(string Text, IReadOnlyList<int> Tokens, int ShownTokens, bool Exact, int? End, FinishReason Reason)
{
    /// <summary>What stays of the tokens in the conversation.</summary>
    public IEnumerable<int> Kept => End is { } end ? Tokens.Take(ShownTokens).Append(end) : Tokens.Take(ShownTokens);
}

/// <summary>Makes one choice: submits it, shows its text as it comes, and stops the engine at a stop string. A reply that is
/// suspended,
/// or was begun by another silo, is continued from its tokens: there is no other state.</summary>
sealed class ReplyRun(
    ServedModel model, GenerationOptions options, int choice, TokenRequest request, Action<TurnEvent> show, TimeProvider time)
{
    readonly ReplyDecoder _decoder = new(model.Tokenizer, options, choice);
    TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    (CancellationTokenSource Stop, ChannelReader<TokenChunk> Chunks)? _ahead;
    int? _end;

    /// <summary>Null while it is not finished.</summary>
    public Reply? Reply { get; private set; }

    public IReadOnlyList<int> Tokens => _decoder.Tokens;

    public HeldBack HeldBack => _decoder.HeldBack;

    /// <summary>Completes at the first token, or when a run ends without one.</summary>
    public Task Begun => _begun.Task;

    /// <summary>Takes what another silo has made of this choice.</summary>
    /// <exception cref="TurnFailedException">This silo's model would have shown another text.</exception>
    public void Prime(IEnumerable<TurnEvent> shown, HeldBack? held)
    {
        var text = new System.Text.StringBuilder();
        FinishReason? finished = null;
        foreach (var e in shown)
        {
            if (e is TurnDelta delta && delta.Choice == choice)
            {
                text.Append(delta.Text);
                Prime(delta.Tokens);
            }
            else if (e is ChoiceFinished end && end.Choice == choice)
            {
                finished = end.Reason;
                Prime(end.Tokens);
            }
        }
        // The text is shown to its end only when the reply is finished.
        if (_decoder.Text.Length < text.Length)
            _decoder.Flush();
        if (_decoder.Text != text.ToString())
        {
            throw new TurnFailedException(TurnError.Internal,
                "The reply was begun by a silo whose model reads its tokens differently: it cannot go on here.");
        }
        if (finished is { } reason)
            Conclude(reason);
        else if (held is not null)
            _decoder.Prime(held);
    }

    void Prime(IReadOnlyList<int> tokens)
    {
        foreach (var token in tokens)
        {
            if (request.StopTokens.Contains(token))
                End(token);
            else
                _decoder.Prime(token);
        }
        _decoder.TakeTokens();
    }

    /// <summary>Lets the engine begin what <see cref="RunAsync"/> will show: until then nobody sees any of it. It is only an
    /// attempt.</summary>
    public void BeginAhead(CancellationToken suspension, CancellationToken cancellationToken)
    {
        if (Reply is not null || IsComplete)
            return;
        var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (model.Engine.TrySubmit(Continued(suspension, stop.Token), out var chunks) == TurnError.None && chunks is not null)
            _ahead = (stop, chunks);
        else
            stop.Dispose();
    }

    /// <summary>Ends what was begun and will not be run; returns when the engine has let go of it.</summary>
    public async Task EndAheadAsync()
    {
        if (_ahead is not var (stop, chunks))
            return;
        _ahead = null;
        stop.Cancel();
        await foreach (var _ in chunks.ReadAllAsync(CancellationToken.None))
        {
        }
        stop.Dispose();
    }

    bool IsComplete => _decoder.Stopped || _end is not null || Tokens.Count >= request.MaxTokens;

    /// <param name="onAdmitted">Told of the cached part of the prompt, before any text.</param>
    /// <param name="suspension">Ends the run at the next token; it may be run again.</param>
    /// <exception cref="TurnFailedException">The engine refused or failed.</exception>
    /// <exception cref="OperationCanceledException">The turn was cancelled; the engine has stopped.</exception>
    public async Task RunAsync(
        Action<TokenChunk>? onAdmitted, CancellationToken suspension, CancellationToken cancellationToken)
    {
        if (_begun.Task.IsCompleted && Tokens.Count == 0)
            _begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            if (_decoder.Stopped || _end is not null)
                Finish(FinishReason.Stop);
            else if (Tokens.Count >= request.MaxTokens)
                Finish(FinishReason.Length);
            else
                await StreamAsync(onAdmitted, suspension, cancellationToken);
        }
        finally
        {
            _begun.TrySetResult();
        }
    }

    async Task StreamAsync(Action<TokenChunk>? onAdmitted, CancellationToken suspension, CancellationToken cancellationToken)
    {
        var ahead = _ahead;
        _ahead = null;
        using var stop = ahead?.Stop ?? new CancellationTokenSource();
        await using var linked = cancellationToken.UnsafeRegister(static s => ((CancellationTokenSource)s!).Cancel(), stop);
        var chunks = ahead?.Chunks ?? await SubmitAsync(Continued(suspension, stop.Token), cancellationToken);
        // Read to the end whatever happens: only then has the engine let go of the sequence.
        await foreach (var chunk in chunks.ReadAllAsync(CancellationToken.None))
        {
            switch (chunk.Kind)
            {
                case TokenChunkKind.Admitted:
                    onAdmitted?.Invoke(chunk);
                    break;
                case TokenChunkKind.Token when _decoder.Stopped || cancellationToken.IsCancellationRequested:
                    break;
                case TokenChunkKind.Token:
                    Take(chunk);
                    _begun.TrySetResult();
                    if (_decoder.Stopped)
                        stop.Cancel();
                    break;
                default:
                    cancellationToken.ThrowIfCancellationRequested();
                    End(chunk);
                    return;
            }
        }
        cancellationToken.ThrowIfCancellationRequested();
        throw new TurnFailedException(TurnError.Internal, "The engine ended the reply without saying how.");
    }

    TokenRequest Continued(CancellationToken suspension, CancellationToken stop) => request with
    {
        Prompt = Tokens.Count == 0 ? request.Prompt : (int[])[.. request.Prompt.Span, .. Tokens],
        ReplyTokens = Tokens.Count,
        MaxTokens = request.MaxTokens - Tokens.Count,
        Suspension = suspension,
        Cancellation = stop,
    };

    /// <summary>A reply that clients see already is worth waiting for; a new one is refused at once.</summary>
    async Task<ChannelReader<TokenChunk>> SubmitAsync(
        TokenRequest continued, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            var refusal = model.Engine.TrySubmit(continued, out var chunks);
            if (refusal == TurnError.None && chunks is not null)
                return chunks;
            if (refusal != TurnError.Overloaded || continued.ReplyTokens == 0 || tries == Limits.ResumeTries)
                throw new TurnFailedException(new TurnFailure(refusal, Words(refusal), null, Limits.RetryAfter));
            await Task.Delay(Limits.ResumePause, time, cancellationToken);
        }
    }

    void Take(TokenChunk chunk)
    {
        if (request.StopTokens.Contains(chunk.Token))
            End(chunk.Token);
        else
            Show(_decoder.Push(chunk));
    }

    void End(int token)
    {
        _end = token;
        _decoder.PushEnd(token);
    }

    void End(TokenChunk last)
    {
        if (last.Kind == TokenChunkKind.Finished)
            Finish(last.Reason);
        else if (_decoder.Stopped || _end is not null)
            Finish(FinishReason.Stop);
        else if (last.Kind == TokenChunkKind.Failed)
            throw new TurnFailedException(last.Failure ?? new TurnFailure(TurnError.Internal, "The engine failed."));
    }

    void Finish(FinishReason reason)
    {
        Show(_decoder.Flush());
        Conclude(_decoder.Stopped ? FinishReason.Stop : reason);
        show(new ChoiceFinished { Choice = choice, Reason = Reply!.Reason, Tokens = _decoder.TakeTokens() });
    }

    void Conclude(FinishReason reason)
    {
        var (count, exact) = _decoder.ShownTokens();
        Reply = new Reply(_decoder.Text, _decoder.Tokens, count, exact, _decoder.Stopped ? null : _end, reason);
    }

    void Show(TurnDelta? delta)
    {
        if (delta is not null)
            show(delta);
    }

    static string Words(TurnError refusal) => refusal switch
    {
        TurnError.Overloaded => Failures.NoRoom.Message,
        TurnError.ContextLengthExceeded => "The prompt is longer than the model's context.",
        TurnError.Draining => "The silo is being drained.",
        _ => "The engine refused the turn.",
    };
}
