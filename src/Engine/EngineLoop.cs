using Hearth.Contracts;
using Hearth.Cuda;
using Hearth.Engine.Devices;
using Hearth.Engine.Memory;
using Hearth.Engine.Sampling;
using Hearth.Engine.Scheduling;
using Microsoft.Extensions.Logging;

namespace Hearth.Engine;

/// <summary>The one owner of sequences and KV memory, on a thread of its own: receive, sweep, admit, grow, run, publish.
/// Everyone else posts to the inbox; only while a step runs, or nothing does, may others take the memory's gate.</summary>
sealed partial class EngineLoop
{
    readonly IModelRunner _runner;
    readonly KvMemory _memory;
    readonly EngineMetrics _metrics;
    readonly TimeProvider _time;
    readonly ILogger _log;
    readonly Inbox _inbox;
    readonly Scheduler _scheduler;
    readonly Sampler _sampler;
    readonly Admissions _admissions;
    readonly Batch _batch;
    readonly float[] _logits;
    readonly float[] _raw;
    readonly Action<Sequence> _ended;
    bool _isStepping;
    long _now;

    /// <param name="ended">Told when a sequence has ended.</param>
    public EngineLoop(
        IModelRunner runner, KvMemory memory, EngineOptions options, Inbox inbox, Scheduler scheduler,
        Admissions admissions, EngineMetrics metrics, TimeProvider time, ILogger log, Action<Sequence> ended)
    {
        (_runner, _memory, _inbox, _scheduler, _admissions) = (runner, memory, inbox, scheduler, admissions);
        (_metrics, _time, _log, _ended) = (metrics, time, log, ended);
        _sampler = new Sampler(runner.VocabularySize);
        _batch = new Batch(options.MaxBatchTokens, options.MaxSequences);
        _logits = new float[options.MaxSequences * runner.VocabularySize];
        _raw = new float[runner.VocabularySize];
    }

    public void Run()
    {
        while (!_inbox.IsClosed)
        {
            try
            {
                if (Prepare())
                {
                    var elapsed = Compute();
                    Publish(elapsed);
                }
                else
                {
                    _inbox.Wait();
                }
            }
            catch (Exception e)
            {
                LogStepFailed(e);
                FailStep(e);
                if (e is CudaException { IsFatal: true })
                {
                    // The card is lost to this process: it ends, and others take over what it held.
                    throw;
                }
            }
        }

        Stop();
    }

    /// <returns>False when there is nothing to run.</returns>
    bool Prepare()
    {
        lock (_memory.Gate)
        {
            Receive();
            Sweep();
            _admissions.Run();
            Grow();
            var isPlanned = Plan();
            if (!isPlanned)
            {
                Report();
            }

            return isPlanned;
        }
    }

    void Receive()
    {
        while (_inbox.TryTake(out var message))
        {
            switch (message)
            {
                case EngineMessage.Submitted submitted:
                    _scheduler.Enqueue(submitted.Sequence);
                    _admissions.Unblock();
                    break;
                case EngineMessage.Restored restored:
                    _admissions.EndRestore(restored.Job);
                    break;
            }
        }
    }

    /// <summary>Ends what was cancelled or suspended, and notes whose reader is behind.</summary>
    void Sweep()
    {
        for (var i = _scheduler.Waiting.Count - 1; i >= 0; i--)
        {
            var sequence = _scheduler.Waiting[i];
            if (!EndIfAsked(sequence) && sequence.IsPaused && sequence.HasRoom)
            {
                Pause(sequence, false);
            }
        }

        for (var i = _scheduler.Running.Count - 1; i >= 0; i--)
        {
            var sequence = _scheduler.Running[i];
            if (sequence.State == SequenceState.Running && !EndIfAsked(sequence) && sequence.HasRoom == sequence.IsPaused)
            {
                Pause(sequence, !sequence.HasRoom);
            }
        }
    }

    bool EndIfAsked(Sequence sequence)
    {
        if (sequence.Request.Cancellation.IsCancellationRequested)
        {
            Fail(sequence, TurnError.Cancelled, "The request was cancelled.", sequence.Request.Keep);
            return true;
        }

        if (sequence.Request.Suspension.IsCancellationRequested)
        {
            End(sequence, new TokenChunk { Kind = TokenChunkKind.Suspended }, sequence.Request.Keep);
            return true;
        }

        if (sequence.IsAbandoned)
        {
            LogAbandoned(sequence.Cache.Id, Limits.ReaderPauseMax);
            Fail(sequence, TurnError.Cancelled, "The reply was not read.", sequence.Request.Keep);
            return true;
        }

        return false;
    }

    void Pause(Sequence sequence, bool pause)
    {
        sequence.PauseTimer?.Dispose();
        sequence.PauseTimer = null;
        sequence.IsPaused = pause;
        _admissions.Unblock();
        if (pause && sequence.HasRoom)
        {
            // The reader came back between the look and the mark, and so without waking the loop.
            sequence.IsPaused = false;
        }
        else if (pause)
        {
            sequence.PauseTimer = _time.CreateTimer(
                _ => Abandon(sequence), null, Limits.ReaderPauseMax, Timeout.InfiniteTimeSpan);
        }
    }

    void Abandon(Sequence sequence)
    {
        sequence.IsAbandoned = true;
        _inbox.Wake();
    }

    /// <summary>Every decoding sequence gets a block for its next token, oldest first; if there is none, the newest gives
    /// its own up.</summary>
    void Grow()
    {
        for (var i = 0; i < _scheduler.Running.Count; i++)
        {
            var sequence = _scheduler.Running[i];
            while (sequence is { State: SequenceState.Running, IsPaused: false }
                && !_memory.TryGrow(sequence.Cache, sequence.Known))
            {
                if (_memory.TryEndImport())
                {
                    continue;
                }

                var victim = _scheduler.Victim()!;
                _admissions.Suspend(victim);
                i -= victim.Order <= sequence.Order ? 1 : 0;
            }
        }
    }

    bool Plan()
    {
        _batch.Clear();
        var plan = _scheduler.Plan();
        if (plan.Length == 0)
        {
            return false;
        }

        foreach (var (sequence, count) in plan)
        {
            var cache = sequence.Cache;
            var wanted = count == sequence.Remaining ? LogitsWanted.Last : LogitsWanted.None;
            _batch.Add(cache.Tokens.Span.Slice(cache.Computed, count), cache.Computed, cache.Blocks.Memory, wanted,
                cache.Tokens.Count);
        }

        _batch.WantsBest = _runner.GivesBest && IsGreedy(plan);

        return true;
    }

    /// <summary>Whether the most probable id is all that is asked of every sequence.</summary>
    static bool IsGreedy(ReadOnlySpan<Slice> plan)
    {
        foreach (var (sequence, _) in plan)
        {
            if (sequence.Request.Logprobs || sequence.Penalties is not null || !Sampler.IsGreedy(sequence.Request.Sampling))
            {
                return false;
            }
        }

        return true;
    }

    TimeSpan Compute()
    {
        _isStepping = true;
        var start = _time.GetTimestamp();
        _runner.Run(_batch, _logits.AsSpan(0, _batch.LogitRows * _runner.VocabularySize));
        return _time.GetElapsedTime(start);
    }

    void Publish(TimeSpan elapsed)
    {
        _metrics.Stepped(elapsed, _batch.Rows);
        _now = _time.GetTimestamp();
        lock (_memory.Gate)
        {
            var plan = _scheduler.Planned;
            if (_batch.Rows > plan.Length)
            {
                _admissions.Cost.Prefilled(_batch.Rows, elapsed);
            }

            for (var i = 0; i < plan.Length; i++)
            {
                var (sequence, count) = plan[i];
                _memory.Advance(sequence.Cache, sequence.Cache.Computed + count);
                if (_batch.Sequences[i].LogitCount > 0)
                {
                    Publish(sequence, _batch.Sequences[i].LogitRow);
                }
            }

            _isStepping = false;
            Report();
        }
    }

    /// <param name="row">Of the step's logits, or of its best ids.</param>
    void Publish(Sequence sequence, int row)
    {
        var request = sequence.Request;
        var logits = _logits.AsSpan(row * _runner.VocabularySize, _runner.VocabularySize);
        if (request.Logprobs)
        {
            logits.CopyTo(_raw);
        }

        int token;
        try
        {
            token = _batch.WantsBest ? Sampler.Chosen(_batch.Best[row])
                : _sampler.Choose(logits, request.Sampling, sequence.Penalties, sequence.Seed, sequence.Known);
        }
        catch (InvalidOperationException e)
        {
            LogSamplingFailed(e, sequence.Cache.Id);
            Fail(sequence, TurnError.Internal, e.Message, false);
            return;
        }

        sequence.Cache.Tokens.Add(token);
        sequence.Penalties?.Add(token);
        _metrics.Generated(sequence.Marks, _now);
        var (logprob, top) = request.Logprobs ? _sampler.Logprobs(_raw, token, request.Sampling.TopLogprobs) : (0, null);
        sequence.Write(new TokenChunk { Kind = TokenChunkKind.Token, Token = token, Logprob = logprob, Top = top });
        if (sequence.IsStop(token) || sequence.Known == sequence.KnownMax)
        {
            var reason = sequence.IsStop(token) ? FinishReason.Stop : FinishReason.Length;
            End(sequence, new TokenChunk { Kind = TokenChunkKind.Finished, Reason = reason }, request.Keep);
        }
    }

    /// <summary>What ran in the failed step cannot go on: its keys and values are not known to be right.
    /// Outside a step nothing is known to be right, and what waits would only fail again.</summary>
    void FailStep(Exception e)
    {
        using var gate = _memory.Gate.EnterScope();
        for (var i = _scheduler.Running.Count - 1; i >= 0; i--)
        {
            var sequence = _scheduler.Running[i];
            if (sequence.State == SequenceState.Running && (!_isStepping || _scheduler.IsPlanned(sequence)))
            {
                Fail(sequence, TurnError.Internal, $"The engine's step failed: {e.GetType().Name}.", false);
            }
        }

        for (var i = _scheduler.Waiting.Count - 1; i >= 0 && !_isStepping; i--)
        {
            Fail(_scheduler.Waiting[i], TurnError.Internal, $"The engine failed: {e.GetType().Name}.", false);
        }

        _isStepping = false;
    }

    /// <summary>Answers everyone who is still waiting for something.</summary>
    void Stop()
    {
        using var gate = _memory.Gate.EnterScope();
        while (_scheduler.Running.Count + _scheduler.Waiting.Count > 0)
        {
            var sequence = _scheduler.Running.Count > 0 ? _scheduler.Running[^1] : _scheduler.Waiting[^1];
            Fail(sequence, TurnError.Draining, "The engine stops.", false);
        }

        while (_inbox.TryTake(out var message))
        {
            if (message is EngineMessage.Submitted submitted)
            {
                Fail(submitted.Sequence, TurnError.Draining, "The engine stops.", false);
            }
        }

        Report();
    }

    void Fail(Sequence sequence, TurnError error, string message, bool keep) =>
        End(sequence, new TokenChunk { Kind = TokenChunkKind.Failed, Failure = new TurnFailure(error, message) }, keep);

    void End(Sequence sequence, in TokenChunk last, bool keep)
    {
        if (!sequence.IsAnnounced && sequence.State == SequenceState.Waiting)
        {
            _admissions.Dequeued(sequence);
        }
        else if (last.Failure?.Error == TurnError.Internal)
        {
            _memory.Discard(sequence.Cache);
        }
        else
        {
            _memory.Close(sequence.Cache, keep && !sequence.IsDropped);
        }

        _admissions.Unblock();
        Pause(sequence, false);
        sequence.Cancelled.Unregister();
        sequence.Suspended.Unregister();
        _scheduler.Finish(sequence);
        _metrics.Ended(sequence, last, _time.GetTimestamp());
        EngineTraces.Tell(sequence, last, _time);
        sequence.Write(last);
        sequence.Complete();
        _ended(sequence);
    }

    void Report() => _metrics.Now(_scheduler.Active, _scheduler.Waiting.Count, _memory);

    [LoggerMessage(1, LogLevel.Error, "An engine step failed; its sequences end.")]
    partial void LogStepFailed(Exception e);

    [LoggerMessage(2, LogLevel.Error, "Sampling failed for {Cache}.")]
    partial void LogSamplingFailed(Exception e, CacheId cache);

    [LoggerMessage(3, LogLevel.Warning, "The reply of {Cache} was not read for {Limit}; it ends.")]
    partial void LogAbandoned(CacheId cache, TimeSpan limit);
}
